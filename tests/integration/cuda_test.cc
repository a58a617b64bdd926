// Training on a CUDA device: what is captured of it, and that runs go on from that bit for bit. On a LibTorch without
// CUDA the devices are simulated (tests/support/simulated_cuda.h).
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "tests/support/captured_stderr.h"
#include "tests/support/noisy_trainer.h"
#include "tests/support/rewrite_checkpoint.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/module/device.h"
#include "troupe/runtime/module/load_weights.h"
#include "troupe/runtime/module/tensor_bytes.h"
#ifdef TROUPE_SIMULATED_CUDA
#include "tests/support/simulated_cuda.h"
#endif

using namespace troupe;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 2;
// Training and validation steps of an unbroken run, with its sanity check.
constexpr int64_t kModuleSteps = kEpochs * (kNoisyTrainBatches + 2 * kNoisyValidationBatches) + 2;

/// Where there is none, a test says so and ends.
bool has_cuda() {
  if (torch::cuda::is_available()) {
    return true;
  }
  MESSAGE("no CUDA device");
  return false;
}

/// As long as it lives, simulated copies to the host take their time.
struct SlowCopies {
#ifdef TROUPE_SIMULATED_CUDA
  explicit SlowCopies(std::chrono::microseconds time) {
    simulated_cuda::set_copy_time(time);
  }
  ~SlowCopies() {
    simulated_cuda::set_copy_time(0us);
  }
#else
  explicit SlowCopies(std::chrono::microseconds /*time*/) {}
#endif
  SlowCopies(const SlowCopies&) = delete;
  SlowCopies& operator=(const SlowCopies&) = delete;
};

struct OnCuda {
  OnCuda() { module.to(at::kCUDA); }
  NoisyModule module{10};
  Training training{module, 1};
};

/// 16 MiB a parameter: to copy one takes longer than to launch what overwrites it.
class LargeModule : public Module {
 public:
  LargeModule() {
    for (const char* name : {"first", "second", "third"}) {
      register_module(name, torch::nn::Linear(torch::nn::LinearOptions(2048, 2048).bias(false)));
    }
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), 0.1)}};
  }
};

void fill_parameters(torch::nn::Module& module, double value) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    parameter.fill_(value);
  }
}

/// What a captured parameter is made of, if all of its elements are one value.
double value_of(const Snapshot& snapshot, const std::string& name) {
  const auto* tensor = find_tensor(snapshot.tensors, name);
  REQUIRE(tensor != nullptr);
  REQUIRE(tensor->is_cpu());
  return tensor->min().equal(tensor->max()) ? tensor->max().item<double>() : std::nan("");
}

struct Fit {
  std::string device = "cuda";
  int64_t stop_at = 0;  ///< Module step in which the process gets SIGTERM; 0: none.
  std::string resume = {};
  bool with_trials = false;
};

RunResult fit(const fs::path& run_dir, const Fit& what = {}) {
  const SlowCopies slow_copies(200us);
  torch::manual_seed(what.resume.empty() ? 11 : 99);
  NoisyModule module(kEpochs * kNoisyTrainBatches / 3);
  torch::manual_seed(what.resume.empty() ? 11 : 98);
  NoisyData data(/*restores=*/!what.resume.empty());
  TrainerOptions options = noisy_options(run_dir, kEpochs);
  options.device = what.device;
  Trainer trainer(options);
  save_at<TrainBatchEnded>(trainer, "every_batch");
  save_at<TrainEpochEnded>(trainer, "final");
  if (what.with_trials) {
    trainer.on<TrainBatchEnded>("trials", [](const TrainBatchEnded& /*event*/, Live& live) {
      live.run_trial({.learning_rate = [](int64_t) { return 0.5; }, .steps = 1});
    });
  }
  int64_t steps = 0;
  const auto count_step = [&] {
    if (++steps == what.stop_at) {
      std::raise(SIGTERM);
    }
  };
  module.on_training_step = [&](int64_t /*batch_index*/) { count_step(); };
  module.on_validation_step = count_step;
  return trainer.fit(module, data, what.resume);
}

Fingerprint fingerprint(const RunResult& result) {
  Fingerprint items = checkpoint_items(fs::path(result.run_dir) / "checkpoints" / "final.ckpt");
  items["run_state"] = result.state.deterministic_bytes();
  items["events"] = shared_events(result.run_dir);
  return items;
}

RunResumed resumed_event(const fs::path& run_dir) {
  EventLogReader log(run_dir / "events");
  for (Event event; log.next(event);) {
    if (event.has_run_resumed()) {
      return event.run_resumed();
    }
  }
  FAIL("the run was not resumed");
  return {};
}

}  // namespace

TEST_CASE("a device is found by its name, and one that is not there is refused with those that are") {
  CHECK(find_device("cpu") == at::Device(at::kCPU));
  const auto refusal = [](const std::string& name) {
    try {
      find_device(name);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal("gpu").starts_with("'device' is \"gpu\"; there is cpu"));
  CHECK(refusal("cuda:99").starts_with("'device' is \"cuda:99\"; there is cpu"));
  CHECK(refusal("meta").starts_with("'device' is \"meta\"; there is cpu"));
  if (!has_cuda()) {
    CHECK(refusal("cuda").ends_with("(this LibTorch sees no CUDA device)"));
    return;
  }
  CHECK(find_device("cuda") == at::Device(at::kCUDA, 0));
  CHECK(refusal("gpu").find("cuda:0") != std::string::npos);
}

TEST_CASE("a snapshot is of the instant that it was taken at, whatever the device does before and after") {
  if (!has_cuda()) {
    return;
  }
  const SlowCopies slow_copies(2ms);
  OnCuda on_cuda;
  auto& [module, training] = on_cuda;
  for (const bool weights_only : {false, true}) {
    CAPTURE(weights_only);
    fill_parameters(module, 1);
#ifdef TROUPE_SIMULATED_CUDA
    const auto copies = simulated_cuda::copies_behind();
    simulated_cuda::fill_slowly(module.named_parameters()["input.weight"], 2, 20ms);
#endif
    const auto first = training.capture(weights_only);
    fill_parameters(module, 3);
    const auto second = training.capture(weights_only);
    fill_parameters(module, 4);
    first->device_copies.wait();
    second->device_copies.wait();
#ifdef TROUPE_SIMULATED_CUDA
    CHECK(simulated_cuda::copies_behind() > copies + 20);
    CHECK(value_of(*first, "module.input.weight") == 2);
#endif
    CHECK(value_of(*first, "module.output.weight") == 1);
    CHECK(value_of(*first, "module.scale") == 1);
    CHECK(value_of(*second, "module.input.weight") == 3);
    CHECK(value_of(*second, "module.scale") == 3);
    CHECK((find_tensor(first->tensors, "rng.cuda:0") != nullptr) == !weights_only);
  }
}

TEST_CASE("a snapshot that takes hardware a while to copy is of its instant too") {
  if (!has_cuda()) {
    return;
  }
  const SlowCopies slow_copies(2ms);
  LargeModule module;
  module.to(at::kCUDA);
  Training training(module, 1);
  training.prepare_shadows();
  for (const double value : {1.0, 2.0, 3.0}) {
    fill_parameters(module, value);
    const auto snapshot = training.capture(true);
    fill_parameters(module, -value);
    snapshot->device_copies.wait();
    for (const char* name : {"module.first.weight", "module.second.weight", "module.third.weight"}) {
      CAPTURE(name);
      CHECK(value_of(*snapshot, name) == value);
    }
  }
}

TEST_CASE("a snapshot from a device is there before it is written or put back") {
  if (!has_cuda()) {
    return;
  }
  const SlowCopies slow_copies(2ms);
  OnCuda on_cuda;
  auto& [module, training] = on_cuda;
  training.prepare_shadows();
  fill_parameters(module, 1);
  training.capture(false);  // Nobody reads it, and its memory is used again.
  fill_parameters(module, 2);
  const auto written = training.capture(false);
  CheckpointParts parts;
  add_snapshot(*written, parts);
  REQUIRE(parts.tensors.size() > 5);
  for (const auto& view : parts.tensors) {
    if (view.name == "module.input.weight") {
      CHECK(to_tensor(view).eq(2).all().item<bool>());
    }
  }
  fill_parameters(module, 3);
  const auto restored = training.capture(false);
  training.restore(*restored);
  CHECK(module.named_parameters()["input.weight"].is_cuda());
  CHECK(module.named_parameters()["input.weight"].eq(3).all().item<bool>());
}

TEST_CASE("a run on a device that is stopped anywhere and resumed ends where one that was never stopped does") {
  if (!has_cuda()) {
    return;
  }
  const TemporaryFolder folder;
  const auto unbroken = fit(folder.path() / "unbroken");
  const auto items = fingerprint(unbroken);
  CHECK(items.contains("rng.cuda:0"));
  CHECK(differences(items, fingerprint(fit(folder.path() / "again"))) == std::set<std::string>{});
  for (const int64_t stop : {1, 2, 5, 12, 20, 33, 43}) {
    REQUIRE(stop < kModuleSteps);
    CAPTURE(stop);
    const fs::path run_dir = folder.path() / ("stopped_" + std::to_string(stop));
    CHECK(fit(run_dir, {.stop_at = stop}).status == v1::RUN_STATUS_INTERRUPTED);
    const auto resumed = fit(run_dir, {.resume = "last"});
    CHECK(resumed.status == v1::RUN_STATUS_FINISHED);
    CHECK(differences(items, fingerprint(resumed)) == std::set<std::string>{});
    CHECK(resumed_event(run_dir).environment_differences_size() == 0);
  }
}

TEST_CASE("the state of the device's generator is needed to go on") {
  if (!has_cuda()) {
    return;
  }
  const TemporaryFolder folder;
  const auto items = fingerprint(fit(folder.path() / "unbroken"));
  const fs::path run_dir = folder.path() / "stopped";
  fit(run_dir, {.stop_at = 12});
  rewrite_checkpoint(run_dir / "checkpoints" / "interrupted.ckpt", [](CheckpointParts& parts) {
    CHECK(std::erase_if(parts.tensors, [](const TensorView& view) { return view.name == "rng.cuda:0"; }) == 1);
  });
  CHECK(differences(items, fingerprint(fit(run_dir, {.resume = "last"}))).contains("module.input.weight"));
}

TEST_CASE("trials on a device leave nothing behind") {
  if (!has_cuda()) {
    return;
  }
  const TemporaryFolder folder;
  const auto without = fingerprint(fit(folder.path() / "without"));
  auto changed = differences(without, fingerprint(fit(folder.path() / "with", {.with_trials = true})));
  CHECK(changed == std::set<std::string>{});
}

TEST_CASE("a run that goes on on another device is told so, and a checkpoint's weights fit any device") {
  if (!has_cuda()) {
    return;
  }
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  fit(run_dir, {.stop_at = 12});
  NoisyModule on_cpu(10);
  CHECK(load_weights(on_cpu, run_dir / "checkpoints" / "interrupted.ckpt").complete());
  NoisyModule on_cuda(10);
  on_cuda.to(at::kCUDA);
  load_weights(on_cuda, run_dir / "checkpoints" / "interrupted.ckpt");
  CHECK(on_cuda.parameters()[0].is_cuda());
  CHECK(on_cuda.parameters()[0].cpu().equal(on_cpu.parameters()[0]));

  const testing::CapturedStderr warnings;
  CHECK(fit(run_dir, {.device = "cpu", .resume = "last"}).status == v1::RUN_STATUS_FINISHED);
  const auto resumed = resumed_event(run_dir);
  REQUIRE(resumed.environment_differences_size() == 1);
  CHECK(resumed.environment_differences(0) == "devices: cuda:0 before, cpu now");
  CHECK(warnings.text().find("devices: cuda:0 before, cpu now") != std::string::npos);
}

namespace {

/// Looks at where things are, and in which precision it computes.
class LookingModule : public Module {
 public:
  LookingModule() { linear_ = register_module("linear", torch::nn::Linear(2, 1)); }
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override { return look(batch).mean(); }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override { look(batch); }
  at::Tensor predict_step(const Batch& batch, int64_t /*batch_index*/) override { return look(batch); }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), 0.1)}};
  }

  std::set<std::string> seen;

 private:
  at::Tensor look(const Batch& batch) {
    auto result = linear_->forward(batch.data);
    for (const auto& tensor : {batch.data, batch.target, batch.more.at(0), linear_->weight}) {
      seen.insert(tensor.device().str());
    }
    seen.insert(device().str());
    seen.insert(std::string(c10::toString(result.scalar_type())));
    return result;
  }
  torch::nn::Linear linear_{nullptr};
};

/// Cannot be moved, as one that is larger than the device.
class HeavyModule : public LookingModule {
 public:
  using LookingModule::to;
  void to(at::Device /*device*/, bool /*non_blocking*/) override { throw std::runtime_error("too heavy"); }
  void teardown(Stage /*stage*/) override { ++teardowns; }

  int teardowns = 0;
};

class LookingData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override { return loader(); }
  std::shared_ptr<DataLoader> val_dataloader() override { return loader(); }
  std::shared_ptr<DataLoader> predict_dataloader() override { return loader(); }

 private:
  /// One batch of two samples with a mask.
  class Loader : public DataLoader {
   public:
    int64_t batches() const override { return 1; }
    void begin(int64_t /*epoch*/, int64_t /*batch*/) override {}
    Batch next() override { return {torch::ones({2, 2}), torch::ones({2, 1}), {torch::ones({2}, at::kBool)}}; }
  };
  static std::shared_ptr<DataLoader> loader() { return std::make_shared<Loader>(); }
};

}  // namespace

TEST_CASE("module and batches are on the device that the trainer is told, and predictions come back") {
  if (!has_cuda()) {
    return;
  }
  const TemporaryFolder folder;
  TrainerOptions options{.enable_model_summary = false, .enable_progress_bar = false, .max_epochs = 1};
  options.run_dir = (folder.path() / "run").string();
  options.device = "cuda:0";
  LookingData data;
  SUBCASE("in float32") {
    LookingModule module;
    Trainer(options).fit(module, data);
    CHECK(module.seen == std::set<std::string>{"cuda:0", "Float"});
    CHECK(module.parameters()[0].is_cuda());
  }
  SUBCASE("in mixed precision") {
    options.precision = Precision::kBf16Mixed;
    LookingModule module;
    Trainer(options).fit(module, data);
    CHECK(module.seen == std::set<std::string>{"cuda:0", "BFloat16"});
    CHECK((module.parameters()[0].scalar_type() == at::kFloat));
  }
  SUBCASE("predicting") {
    LookingModule module;
    const auto result = Trainer(options).predict(module, data);
    REQUIRE(result.predictions.size() == 1);
    CHECK(result.predictions[0].is_cpu());
    CHECK(module.seen == std::set<std::string>{"cuda:0", "Float"});
  }
  SUBCASE("left where it is") {
    options.device = "";
    LookingModule module;
    module.to(at::kCUDA);
    Trainer(options).fit(module, data);
    CHECK(module.seen == std::set<std::string>{"cuda:0", "Float"});
  }
  SUBCASE("one that is not there is refused before the run begins") {
    options.device = "cuda:99";
    LookingModule module;
    CHECK_THROWS_AS(Trainer(options).fit(module, data), ConfigError);
    CHECK_FALSE(fs::exists(folder.path() / "run"));
  }
}

TEST_CASE("a module that cannot be moved is torn down as it was set up") {
  const TemporaryFolder folder;
  TrainerOptions options;
  options.run_dir = (folder.path() / "run").string();
  options.device = "cpu";
  HeavyModule module;
  LookingData data;
  CHECK_THROWS_WITH_AS(Trainer(options).fit(module, data), "too heavy", std::runtime_error);
  CHECK(module.teardowns == 1);
}
