#include "troupe/callbacks/tuning/batch_size_finder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <new>

#include "tests/support/captured_stderr.h"
#include "tests/support/contains.h"
#include "tests/support/small_data.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"

using namespace troupe;
using troupe::testing::CapturedStderr;

namespace {

/// Runs out of memory, or fails in another way, in a batch of more than `fits` samples.
class HungryModule : public SmallModule {
 public:
  explicit HungryModule(
      int64_t fits, std::function<void()> fail = [] { throw std::bad_alloc(); })
      : fits_(fits), fail_(std::move(fail)) {}
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    sizes.push_back(batch.size());
    // Batch norm takes no single sample.
    const at::Tensor loss = batch.size() > 1 ? SmallModule::training_step(batch, batch_index) : at::Tensor();
    if (batch.size() > fits_) {
      fail_();
    }
    return loss;
  }
  std::vector<int64_t> sizes;  ///< Of the batches so far.

 private:
  int64_t fits_;
  std::function<void()> fail_;
};

/// The same data with batches that are all full.
class FullBatches : public SmallData {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    DataLoaderOptions options;
    options.batch_size = 4;
    options.drop_last = true;
    const auto data = torch::linspace(-1, 1, 72).reshape({24, 3});
    return make_data_loader(std::make_shared<TensorDataset>(data, data.sum(1, /*keepdim=*/true).sin()), options);
  }
};

BatchSizeFinderOptions quiet_search(BatchSizeMode mode = BatchSizeMode::kPower) {
  return {.mode = mode, .steps_per_trial = 2, .verbose = false};
}

struct Found {
  std::optional<int64_t> batch_size;
  std::vector<int64_t> sizes;  ///< Of all batches, those of the trials too.
  std::vector<float> weights;
};

template <class Data = SmallData>
Found find_size(HungryModule&& module, const BatchSizeFinderOptions& options, const TrainerOptions& trainer_options) {
  Data data;
  Trainer trainer(trainer_options);
  const auto finder = trainer.add(BatchSizeFinder(options));
  trainer.fit(module, data);
  return {finder.get().batch_size(), module.sizes, weights_of(module)};
}

HungryModule seeded_module(
    int64_t fits, std::function<void()> fail = [] { throw std::bad_alloc(); }) {
  torch::manual_seed(1);
  return HungryModule(fits, std::move(fail));
}

}  // namespace

TEST_CASE("the largest size that fits is found by running out of memory, and trained with") {
  const TemporaryFolder folder;
  const auto found = find_size(seeded_module(9), quiet_search(), tiny_options(folder.path()));
  CHECK(found.batch_size == 8);
  // Two steps each with 2, 4 and 8 samples, one with 16 that failed; then two epochs of three batches.
  CHECK(found.sizes == std::vector<int64_t>{2, 2, 4, 4, 8, 8, 16, 8, 8, 8, 8, 8, 8});
  const auto events = events_of<UserEvent>(folder.path());
  REQUIRE(events.size() == 1);
  const auto values = event_values(events[0].user_event());
  CHECK(events[0].user_event().type() == "BatchSizeFound");
  CHECK(std::get<int64_t>(values.at("batch_size")) == 8);
  CHECK(std::get<int64_t>(values.at("sizes_tried")) == 4);
}

TEST_CASE("binsearch finds the size between, and keeps a margin below it") {
  const TemporaryFolder folder;
  auto options = quiet_search(BatchSizeMode::kBinsearch);
  options.margin = 0;
  SUBCASE("without a margin") {
    CHECK(find_size(seeded_module(11), options, tiny_options(folder.path())).batch_size == 11);
  }
  SUBCASE("with a margin") {
    options.margin = 0.25;
    CHECK(find_size(seeded_module(11), options, tiny_options(folder.path())).batch_size == 8);
  }
  SUBCASE("with a margin that memory does not ask for") {
    options.margin = 0.25;
    options.max_val = 10;
    CHECK(find_size(seeded_module(100), options, tiny_options(folder.path())).batch_size == 10);
  }
}

TEST_CASE("after a search the training is the same as with that batch size from the start") {
  const TemporaryFolder folder;
  class EightAtATime : public SmallData {
   public:
    std::shared_ptr<DataLoader> train_dataloader() override { return small_loader(8); }
  };
  const auto found = find_size(seeded_module(9), quiet_search(), tiny_options(folder.path() / "found"));
  HungryModule plain = seeded_module(9);
  EightAtATime data;
  Trainer trainer(tiny_options(folder.path() / "plain"));
  trainer.fit(plain, data);
  CHECK(found.weights == weights_of(plain));
}

TEST_CASE("the search ends with the data, also where a loader drops what does not fill a batch") {
  const TemporaryFolder folder;
  CHECK(find_size(seeded_module(100), quiet_search(), tiny_options(folder.path() / "a")).batch_size == 24);
  CHECK(find_size<FullBatches>(seeded_module(100), quiet_search(), tiny_options(folder.path() / "b")).batch_size == 16);
  CHECK(find_size<FullBatches>(seeded_module(100), quiet_search(BatchSizeMode::kBinsearch),
                               tiny_options(folder.path() / "c"))
            .batch_size == 24);
}

TEST_CASE("the data is the limit with accumulated batches too") {
  const TemporaryFolder folder;
  TrainerOptions options = tiny_options(folder.path());
  options.accumulate_grad_batches = 2;
  CHECK(find_size(seeded_module(100), quiet_search(), options).batch_size == 24);
}

TEST_CASE("an error that is not an end of memory ends the run") {
  const TemporaryFolder folder;
  const auto fail = [] { throw std::runtime_error("broken"); };
  CHECK_THROWS_WITH_AS(find_size(seeded_module(4, fail), quiet_search(), tiny_options(folder.path())),
                       "callback BatchSizeFinder failed at FitStarted: broken", CallbackError);
  const auto misuse = [] { throw ConfigError("no such thing"); };
  CHECK_THROWS_AS(find_size(seeded_module(4, misuse), quiet_search(), tiny_options(folder.path() / "misuse")),
                  CallbackError);
}

TEST_CASE("a module that not even one sample fits fails as it runs out of memory") {
  const TemporaryFolder folder;
  const auto fail = [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); };
  CHECK_THROWS_WITH_AS(find_size(seeded_module(0, fail), quiet_search(), tiny_options(folder.path())),
                       doctest::Contains("CUDA out of memory"), CallbackError);
  auto options = quiet_search();
  options.init_val = 16;
  options.max_trials = 2;
  CHECK_THROWS_WITH_AS(find_size(seeded_module(1), options, tiny_options(folder.path() / "trials")),
                       doctest::Contains("none of 2 sizes"), CallbackError);
}

TEST_CASE("a loader that cannot make other batches is an error") {
  const TemporaryFolder folder;
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path()));
  trainer.add(BatchSizeFinder(quiet_search()));
  CHECK_THROWS_WITH_AS(trainer.fit(module, data), doctest::Contains("cannot make batches of another size"),
                       CallbackError);
}

TEST_CASE("a fast_dev_run is not searched, and a search says what it found") {
  const TemporaryFolder folder;
  TrainerOptions options = tiny_options(folder.path() / "dev");
  options.fast_dev_run = 1;
  CHECK_FALSE(find_size(seeded_module(9), quiet_search(), options).batch_size);
  auto loud = quiet_search();
  loud.verbose = true;
  const CapturedStderr said;
  find_size(seeded_module(9), loud, tiny_options(folder.path() / "loud"));
  CHECK(contains(said.text(), "BatchSizeFinder: batches of 8 samples (4 sizes tried)\n"));
}

TEST_CASE("a resumed run has the size from its checkpoint, and does not search") {
  const TemporaryFolder folder;
  const auto fit = [&](int64_t epochs, const std::string& resume) {
    HungryModule module = seeded_module(9);
    SmallData data;
    TrainerOptions options = tiny_options(folder.path());
    options.enable_checkpointing = true;
    options.max_epochs = epochs;
    Trainer trainer(options);
    const auto finder = trainer.add(BatchSizeFinder(quiet_search()));
    trainer.fit(module, data, resume);
    CHECK(finder.get().batch_size() == 8);
    return module.sizes;
  };
  fit(1, "");
  CHECK(fit(2, "last") == std::vector<int64_t>{8, 8, 8});
}

TEST_CASE("options of a search that make no sense are refused") {
  CHECK_THROWS_WITH_AS(BatchSizeFinder({.init_val = 16, .max_val = 8}),
                       "BatchSizeFinder: 'init_val' must be at most 'max_val', got 16 and 8", ConfigError);
  CHECK_THROWS_AS(BatchSizeFinder({.init_val = 0}), ConfigError);
  CHECK_THROWS_AS(BatchSizeFinder({.margin = 1}), ConfigError);
  CHECK_THROWS_AS(BatchSizeFinder({.max_trials = 0}), ConfigError);
  CHECK_THROWS_AS(BatchSizeFinder({.steps_per_trial = 0}), ConfigError);
}
