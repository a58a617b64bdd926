// A run whose GradientAccumulationScheduler changes the accumulation at epochs, stopped by SIGTERM after each of its
// batches and resumed, has the number of its epoch in force and ends bit for bit where one that was never stopped does.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>
#include <functional>
#include <set>

#include "tests/support/noisy_trainer.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/tuning/gradient_accumulation_scheduler.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 4;
constexpr int64_t kBatches = 7;

/// Epochs 0 to 3 of 7 batches: steps after the batches 2 4 6 7, 2 4 6 7, 5 7, 5 7.
const std::map<int64_t, int64_t> kScheduling{{0, 2}, {2, 5}};

TrainerOptions scheduled_options(const fs::path& run_dir) {
  TrainerOptions options = tiny_options(run_dir);
  options.max_epochs = kEpochs;
  options.enable_checkpointing = true;
  return options;
}

RunResult scheduled_fit(const fs::path& run_dir, int64_t stop_at, const std::string& resume) {
  torch::manual_seed(resume.empty() ? 11 : 99);
  TinyModule module;
  TinyData data(kBatches);
  Trainer trainer(scheduled_options(run_dir));
  trainer.add(GradientAccumulationScheduler({.scheduling = kScheduling}));
  save_at<TrainEpochEnded>(trainer, "final");
  int64_t batches = 0;
  module.in_training_step = [&](int64_t /*batch_index*/) {
    if (++batches == stop_at) {
      std::raise(SIGTERM);
    }
  };
  return trainer.fit(module, data, resume);
}

Fingerprint scheduled_items(const RunResult& result) {
  const fs::path run_dir = result.run_dir;
  Fingerprint items = checkpoint_items(run_dir / "checkpoints" / "final.ckpt");
  items["run_state"] = result.state.deterministic_bytes();
  items["events"] = shared_events(run_dir);
  return items;
}

/// Optimizer steps completed after each batch.
std::vector<uint64_t> steps_of(const fs::path& run_dir) {
  std::vector<uint64_t> steps;
  for (const auto& event : events_of<TrainBatchEnded>(run_dir)) {
    steps.push_back(event.position().global_step());
  }
  return steps;
}

}  // namespace

TEST_CASE("a scheduled accumulation survives a stop after any batch of the run") {
  const TemporaryFolder folder;
  const RunResult unbroken = scheduled_fit(folder.path() / "unbroken", 0, {});
  const std::vector<uint64_t> steps = steps_of(folder.path() / "unbroken");
  CHECK(steps == std::vector<uint64_t>{0, 1, 1, 2, 2, 3, 4,  4,  5,  5,  6,  6,  7,  8,
                                       8, 8, 8, 8, 9, 9, 10, 10, 10, 10, 10, 11, 11, 12});
  const Fingerprint items = scheduled_items(unbroken);
  for (int64_t stop = 1; stop < kEpochs * kBatches; ++stop) {
    CAPTURE(stop);
    const fs::path run_dir = folder.path() / ("stopped_" + std::to_string(stop));
    REQUIRE(scheduled_fit(run_dir, stop, {}).status == v1::RUN_STATUS_INTERRUPTED);
    const RunResult resumed = scheduled_fit(run_dir, 0, "last");
    CHECK(steps_of(run_dir) == steps);
    CHECK(differences(items, scheduled_items(resumed)) == std::set<std::string>{});
  }
}

TEST_CASE(
    "a scheduled accumulation is refused beside accumulate_grad_batches, and where the module optimises manually") {
  struct ManualModule : TinyModule {
    bool automatic_optimization() const override { return false; }
  };
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  TinyData data;
  TinyModule automatic;
  ManualModule manual;
  const auto fit = [&](Module& module, int64_t batches) {
    TrainerOptions options = tiny_options(run_dir);
    options.accumulate_grad_batches = batches;
    Trainer trainer(options);
    trainer.add(GradientAccumulationScheduler({.scheduling = kScheduling}));
    trainer.fit(module, data);
  };
  CHECK_THROWS_WITH_AS(fit(automatic, 2), doctest::Contains("'accumulate_grad_batches' is 2, but a Gradient"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(fit(manual, 1), doctest::Contains("optimises manually (automatic_optimization), so a Gradient"),
                       ConfigError);
  CHECK_FALSE(fs::exists(run_dir));
  CHECK_NOTHROW(fit(automatic, 1));
}
