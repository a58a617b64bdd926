// A run that is stopped by SIGTERM anywhere and resumed ends bit for bit where one that was never stopped does.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "tests/support/files.h"
#include "tests/support/noisy_trainer.h"
#include "tests/support/rewrite_checkpoint.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensorboard_events.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kTrainBatches = kNoisyTrainBatches;
constexpr int64_t kValidationBatches = kNoisyValidationBatches;
constexpr int64_t kEpochs = 3;
// Module steps of an unbroken run: two validations an epoch, and a sanity check of two batches.
constexpr int64_t kModuleSteps = kEpochs * (kTrainBatches + 2 * kValidationBatches) + 2;

/// Raises SIGTERM in the given step, counted over all stages.
class StopAt {
 public:
  explicit StopAt(int64_t step) : step_(step) {}
  bool step() {
    if (++steps_ != step_) {
      return false;
    }
    std::raise(SIGTERM);
    return true;
  }

 private:
  int64_t step_;
  int64_t steps_ = 0;
};

struct Fit {
  RunResult result;
  bool stopped_in_validation = false;
};

/// One process's part of the run, as far as one test can be several: nothing of the part before is left in the
/// generator.
Fit fit(const fs::path& run_dir, int64_t stop_at, const std::string& resume) {
  torch::manual_seed(resume.empty() ? 11 : 99);
  NoisyModule module(kEpochs * kTrainBatches / 3);
  torch::manual_seed(resume.empty() ? 11 : 98);
  NoisyData data(/*restores=*/!resume.empty());
  Trainer trainer(noisy_options(run_dir, kEpochs));
  // The loss falls, so with kMax what the callbacks remember is long ago.
  trainer.add(ModelCheckpoint({.mode = Mode::kMax, .monitor = "val_loss", .save_last = true, .save_top_k = 2}));
  trainer.add(EarlyStopping({.mode = Mode::kMax, .monitor = "val_loss", .patience = 100}));
  save_at<TrainEpochEnded>(trainer, "final");
  trainer.add(LearningRateMonitor());
  trainer.add(CSVLogger());
  trainer.add(JSONLogger());
  trainer.add(TensorBoardLogger());
  Fit fit;
  StopAt stop(stop_at);
  module.on_training_step = [&](int64_t batch_index) {
    module.log_text("place", std::to_string(batch_index));
    stop.step();
  };
  module.on_validation_step = [&] { fit.stopped_in_validation = stop.step() || fit.stopped_in_validation; };
  fit.result = trainer.fit(module, data, resume);
  return fit;
}

/// Everything that two equal runs have in common at their end, item by item.
Fingerprint fingerprint(const RunResult& result) {
  const fs::path run_dir = result.run_dir;
  Fingerprint items = checkpoint_items(run_dir / "checkpoints" / "final.ckpt");
  items["run_state"] = result.state.deterministic_bytes();
  items["events"] = shared_events(run_dir);
  items["metrics.csv"] = read_file(run_dir / "metrics.csv");
  items["metrics.jsonl"] = read_file(run_dir / "metrics.jsonl");
  items["tensorboard"] = testing::tensorboard_text(run_dir);
  return items;
}

const Fingerprint& unbroken() {
  static const Fingerprint items = [] {
    const TemporaryFolder folder;
    return fingerprint(fit(folder.path() / "run", 0, {}).result);
  }();
  return items;
}

/// Changes the checkpoint that the run was interrupted with, resumes, and says whether that is noticed: the run
/// refuses, or ends differently.
bool is_noticed(const fs::path& interrupted_run, const std::function<void(CheckpointParts&)>& leave_out) {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  fs::copy(interrupted_run, run_dir, fs::copy_options::recursive);
  rewrite_checkpoint(run_dir / "checkpoints" / "interrupted.ckpt", leave_out);
  try {
    return !differences(unbroken(), fingerprint(fit(run_dir, 0, "last").result)).empty();
  } catch (const Error&) {
    return true;
  }
}

void drop_tensors(CheckpointParts& parts, const std::string& prefix) {
  REQUIRE(std::erase_if(parts.tensors, [&](const TensorView& view) { return view.name.starts_with(prefix); }) > 0);
}

/// As if the tensors had not been put back: the values of a fresh module.
void reset_tensors(CheckpointParts& parts, const std::string& prefix) {
  static std::vector<std::vector<std::byte>> zeros;
  bool found = false;
  for (auto& view : parts.tensors) {
    if (view.name.starts_with(prefix)) {
      zeros.emplace_back(view.bytes.size(), std::byte{0});
      view.bytes = zeros.back();
      found = true;
    }
  }
  REQUIRE(found);
}

}  // namespace

TEST_CASE("a run repeats itself bit for bit") {
  const TemporaryFolder folder;
  const auto again = fingerprint(fit(folder.path() / "run", 0, {}).result);
  CHECK(differences(unbroken(), again) == std::set<std::string>{});
}

TEST_CASE("a run stopped by SIGTERM anywhere and resumed ends where one that was never stopped does") {
  std::mt19937 random(1);
  std::set<int64_t> stops;
  while (stops.size() < 20) {
    stops.insert(std::uniform_int_distribution<int64_t>(1, kModuleSteps)(random));
  }
  int in_validation = 0;
  for (const int64_t stop : stops) {
    CAPTURE(stop);
    const TemporaryFolder folder;
    const fs::path run_dir = folder.path() / "run";
    const Fit stopped = fit(run_dir, stop, {});
    CHECK(stopped.result.status == v1::RUN_STATUS_INTERRUPTED);
    CHECK(stopped.result.signal == SIGTERM);
    in_validation += stopped.stopped_in_validation ? 1 : 0;
    const Fit resumed = fit(run_dir, 0, "last");
    CHECK(resumed.result.status == v1::RUN_STATUS_FINISHED);
    CHECK(differences(unbroken(), fingerprint(resumed.result)) == std::set<std::string>{});
    const auto report = verify_event_log(run_dir / "events");
    CHECK(report.sound());
    CHECK(report.incarnations == 2);
  }
  CHECK(in_validation >= 3);
}

TEST_CASE("a run stopped again and again ends where one that was never stopped does") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  RunResult result = fit(run_dir, 5, {}).result;
  int parts = 1;
  while (result.status == v1::RUN_STATUS_INTERRUPTED) {
    result = fit(run_dir, 9, "last").result;
    REQUIRE(++parts < 50);
  }
  CHECK(parts > 5);
  CHECK(differences(unbroken(), fingerprint(result)) == std::set<std::string>{});
}

TEST_CASE("a run resumed from any of its checkpoints ends where it ended before") {
  const TemporaryFolder folder;
  const fs::path whole = folder.path() / "whole";
  fit(whole, 0, {});
  int checkpoints = 0;
  for (const auto& entry : fs::directory_iterator(whole / "checkpoints")) {
    const fs::path copy = folder.path() / ("copy" + std::to_string(checkpoints++));
    fs::copy(whole, copy, fs::copy_options::recursive);
    const fs::path file = copy / "checkpoints" / entry.path().filename();
    CAPTURE(file);
    CHECK(differences(unbroken(), fingerprint(fit(copy, 0, file.string()).result)) == std::set<std::string>{});
  }
  CHECK(checkpoints == 4);  // Two best ones, last.ckpt and final.ckpt.
}

TEST_CASE("a checkpoint of a superseded part of the run is refused") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  fit(run_dir, kModuleSteps - 5, {});
  const fs::path interrupted = run_dir / "checkpoints" / "interrupted.ckpt";
  const fs::path kept = folder.path() / "interrupted.ckpt";
  fs::copy_file(interrupted, kept);
  fit(run_dir, 0, (run_dir / "checkpoints" / "last.ckpt").string());
  fs::copy_file(kept, interrupted, fs::copy_options::overwrite_existing);
  CHECK_THROWS_AS(fit(run_dir, 0, interrupted.string()), ConfigError);
}

TEST_CASE("resuming needs every item of the checkpoint") {
  // In training, in the middle of an accumulation window, and in the middle of a validation.
  const TemporaryFolder folder;
  const fs::path in_training = folder.path() / "in_training";
  const fs::path in_validation = folder.path() / "in_validation";
  constexpr int64_t kFirstEpoch = 2 + kTrainBatches + 2 * kValidationBatches;
  constexpr int64_t kFirstValidation = kFirstEpoch + 6 + kValidationBatches;
  REQUIRE_FALSE(fit(in_training, kFirstValidation + 2, {}).stopped_in_validation);
  REQUIRE(fit(in_validation, kFirstValidation + 6 + 2, {}).stopped_in_validation);
  CHECK_FALSE(is_noticed(in_training, [](CheckpointParts& /*parts*/) {}));
  CHECK_FALSE(is_noticed(in_validation, [](CheckpointParts& /*parts*/) {}));

  using Change = std::function<void(CheckpointParts&)>;
  const std::map<std::string, Change> changes = {
      {"parameters", [](auto& parts) { reset_tensors(parts, "module.input.weight"); }},
      {"buffers", [](auto& parts) { reset_tensors(parts, "module.norm.running_mean"); }},
      {"buffer of an integer", [](auto& parts) { reset_tensors(parts, "module.norm.num_batches_tracked"); }},
      {"optimizer tensors", [](auto& parts) { reset_tensors(parts, "optimizer.0.input.weight.exp_avg"); }},
      {"optimizer steps", [](auto& parts) { parts.training_state.mutable_optimizers(0)->clear_parameters(); }},
      {"base learning rate",
       [](auto& parts) { parts.training_state.mutable_optimizers(0)->mutable_groups(0)->set_base_lr(0.5); }},
      {"schedule step", [](auto& parts) { parts.training_state.mutable_optimizers(0)->set_schedule_step(0); }},
      {"gradients of the open window", [](auto& parts) { drop_tensors(parts, "gradient."); }},
      {"generator", [](auto& parts) { drop_tensors(parts, "rng.cpu"); }},
      {"data position", [](auto& parts) { parts.training_state.mutable_loop()->set_batches_done(0); }},
      {"epoch", [](auto& parts) { parts.training_state.mutable_loop()->set_epoch(0); }},
      {"global step", [](auto& parts) { parts.training_state.mutable_loop()->set_global_step(0); }},
      {"running means", [](auto& parts) { parts.training_state.mutable_loop()->clear_epoch_metrics(); }},
      {"logging of learning rates",
       [](auto& parts) { parts.training_state.mutable_loop()->clear_log_learning_rates(); }},
      {"modes of submodules", [](auto& parts) { parts.training_state.clear_modules_in_eval_mode(); }},
      {"state of the module", [](auto& parts) { parts.training_state.clear_module_state(); }},
      {"state of the data module", [](auto& parts) { parts.training_state.clear_data_state(); }},
      {"frozen parameters", [](auto& parts) { parts.training_state.clear_frozen_parameters(); }},
      {"metrics of the run state", [](auto& parts) { parts.run_state.clear_metrics(); }},
      {"counts of the run state", [](auto& parts) { parts.run_state.set_validations(0); }},
      {"callback states", [](auto& parts) { parts.callback_states.clear(); }},
  };
  for (const auto& [item, change] : changes) {
    CAPTURE(item);
    CHECK(is_noticed(in_training, change));
  }
  for (size_t i = 0; i < 5; ++i) {
    CAPTURE(i);
    CHECK(is_noticed(in_training, [i](auto& parts) {
      REQUIRE(parts.callback_states.size() == 5);
      parts.callback_states.erase(parts.callback_states.begin() + static_cast<std::ptrdiff_t>(i));
    }));
  }
  CHECK(is_noticed(in_validation,
                   [](auto& parts) { parts.training_state.mutable_loop()->mutable_evaluation()->clear_metrics(); }));
  CHECK(is_noticed(in_validation, [](auto& parts) { parts.training_state.mutable_loop()->clear_evaluation(); }));
}
