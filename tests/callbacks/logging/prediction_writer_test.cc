#include "troupe/callbacks/logging/prediction_writer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/support/small_data.h"
#include "tests/support/tiny_fit.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/weights_file.h"
#include "troupe/runtime/module/tensor_bytes.h"

using namespace troupe;

namespace {

/// Two loaders to predict: batches of 10, 10 and 4 samples, and one of 24.
class TwoLoaders : public SmallData {
 public:
  DataLoaders predict_dataloaders() override { return {small_loader(10), small_loader(24)}; }
};

/// Predicts what `shape` makes of the usual prediction.
class ShapedModule : public SmallModule {
 public:
  explicit ShapedModule(std::function<at::Tensor(const at::Tensor&, int64_t batch_index)> shape)
      : shape_(std::move(shape)) {}
  at::Tensor predict_step(const Batch& batch, int64_t batch_index) override {
    return shape_(SmallModule::predict_step(batch, batch_index), batch_index);
  }

 private:
  std::function<at::Tensor(const at::Tensor&, int64_t)> shape_;
};

template <class Data = SmallData>
RunResult predict(const std::filesystem::path& run_dir, const PredictionWriterOptions& options,
                  Module&& module = SmallModule()) {
  Data data;
  Trainer trainer(tiny_options(run_dir));
  trainer.add(PredictionWriter(options));
  return trainer.predict(module, data);
}

/// What a file of predictions has, by name.
std::map<std::string, at::Tensor> tensors_in(const std::filesystem::path& path) {
  const WeightsFile file(path);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& view : file.tensors()) {
    tensors[view.name] = to_tensor(view);
  }
  return tensors;
}

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path().lexically_relative(folder).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

using Files = std::vector<std::string>;

}  // namespace

TEST_CASE("each batch's prediction is a file for NumPy") {
  const TemporaryFolder folder;
  const auto result = predict(folder.path(), {});
  REQUIRE(result.predictions.size() == 3);
  const auto predictions = std::filesystem::path(result.run_dir) / "predictions";
  CHECK(files_below(predictions) ==
        Files{"dataloader_0/batch_0.npz", "dataloader_0/batch_1.npz", "dataloader_0/batch_2.npz"});
  for (size_t i = 0; i < 3; ++i) {
    const auto path = predictions / ("dataloader_0/batch_" + std::to_string(i) + ".npz");
    CHECK(WeightsFile(path).format() == "npz");
    const auto tensors = tensors_in(path);
    REQUIRE(tensors.size() == 1);
    CHECK(tensors.at("prediction").equal(result.predictions[i]));
  }
}

TEST_CASE("all predictions of a loader are one array at the end") {
  const TemporaryFolder folder;
  const auto result = predict<TwoLoaders>(
      folder.path(), {.dirpath = "out", .format = PredictionFormat::kTorch, .write_interval = WriteInterval::kEpoch});
  CHECK(files_below(std::filesystem::path(result.run_dir) / "out") == Files{"predictions.pt"});
  CHECK(WeightsFile(std::filesystem::path(result.run_dir) / "out/predictions.pt").format() == "torch.save");
  const auto tensors = tensors_in(std::filesystem::path(result.run_dir) / "out/predictions.pt");
  REQUIRE(tensors.size() == 2);
  REQUIRE(result.predictions.size() == 4);
  const std::vector<at::Tensor> first(result.predictions.begin(), result.predictions.begin() + 3);
  CHECK(tensors.at("dataloader_0").equal(torch::cat(first)));
  CHECK(tensors.at("dataloader_1").equal(result.predictions[3]));
}

TEST_CASE("batch_and_epoch writes both, to an absolute folder too, in place of what was there") {
  const TemporaryFolder folder;
  const PredictionWriterOptions options{.dirpath = (folder.path() / "all").string(),
                                        .format = PredictionFormat::kTorch,
                                        .write_interval = WriteInterval::kBatchAndEpoch};
  predict<TwoLoaders>(folder.path() / "first", options);
  const auto second = predict<TwoLoaders>(folder.path() / "second", options);
  CHECK(files_below(folder.path() / "all") == Files{"dataloader_0/batch_0.pt", "dataloader_0/batch_1.pt",
                                                    "dataloader_0/batch_2.pt", "dataloader_1/batch_0.pt",
                                                    "predictions.pt"});
  CHECK(tensors_in(folder.path() / "all/dataloader_1/batch_0.pt").at("prediction").equal(second.predictions[3]));
  CHECK(tensors_in(folder.path() / "all/predictions.pt").at("dataloader_0").size(0) == 24);
}

TEST_CASE("a number a batch is an array of one element, and nothing is left out") {
  const TemporaryFolder folder;
  const auto mean_of_some = [](const at::Tensor& prediction, int64_t batch_index) {
    return batch_index == 1 ? at::Tensor() : prediction.mean();
  };
  const auto result =
      predict(folder.path(), {.write_interval = WriteInterval::kBatchAndEpoch}, ShapedModule(mean_of_some));
  CHECK(files_below(std::filesystem::path(result.run_dir) / "predictions") ==
        Files{"dataloader_0/batch_0.npz", "dataloader_0/batch_2.npz", "predictions.npz"});
  CHECK(tensors_in(std::filesystem::path(result.run_dir) / "predictions/predictions.npz").at("dataloader_0").sizes() ==
        at::IntArrayRef({2}));
}

TEST_CASE("predictions that are no parts of one array are an error that names them") {
  const TemporaryFolder folder;
  const auto growing = [](const at::Tensor& prediction, int64_t batch_index) {
    return prediction.repeat({1, batch_index + 1});
  };
  CHECK_THROWS_WITH_AS(
      predict(folder.path() / "epoch", {.write_interval = WriteInterval::kEpoch}, ShapedModule(growing)),
      doctest::Contains("the prediction of batch 1 of dataloader_0 has the shape [10, 2]"), CallbackError);
  CHECK_NOTHROW(predict(folder.path() / "batch", {}, ShapedModule(growing)));
  const auto bfloat16 = [](const at::Tensor& prediction, int64_t) { return prediction.to(at::kBFloat16); };
  CHECK_THROWS_WITH_AS(predict(folder.path() / "npz", {}, ShapedModule(bfloat16)), doctest::Contains("bfloat16"),
                       CallbackError);
  CHECK_NOTHROW(predict(folder.path() / "torch", {.format = PredictionFormat::kTorch}, ShapedModule(bfloat16)));
}

TEST_CASE("a folder that cannot be written to ends a predict before it begins, and a fit does not need it") {
  const TemporaryFolder folder;
  const PredictionWriterOptions options{.dirpath = "/proc/predictions"};
  CHECK_THROWS_AS(predict(folder.path() / "predict", options), IoError);
  SmallModule module;
  SmallData data;
  Trainer trainer(tiny_options(folder.path() / "fit"));
  trainer.add(PredictionWriter(options));
  CHECK_NOTHROW(trainer.fit(module, data));
  CHECK_THROWS_AS(PredictionWriter({.dirpath = ""}), ConfigError);
}
