// Every schedule, and a plateau, through files: a run that is stopped by SIGTERM and resumed ends bit for bit where one
// that was never stopped does.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>
#include <functional>
#include <map>
#include <set>

#include "tests/support/files.h"
#include "tests/support/noisy_trainer.h"
#include "tests/support/rewrite_checkpoint.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/data/tensor_dataset.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 3;
// Module steps: a sanity check of two batches, and in each epoch 12 batches with a validation of two after each 6.
constexpr int64_t kSanitySteps = 2;
constexpr int64_t kEpochSteps = 12 + 2 * 2;

using Configure = std::function<OptimizerConfig(Module&)>;

/// Raises SIGTERM in the given step, counted over all stages.
class StoppableModule : public Module {
 public:
  StoppableModule(Configure configure, int64_t stop_at) : configure_(std::move(configure)), stop_at_(stop_at) {
    linear_ = register_module("linear", torch::nn::Linear(4, 2));
  }
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    auto loss = step(batch);
    log("loss", loss);
    return loss;
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
    const auto loss = step(batch);
    log("val_loss", loss);
    if (current_epoch() == 0) {
      log("first_val_loss", loss);
    }
  }
  std::vector<OptimizerConfig> configure_optimizers() override { return {configure_(*this)}; }

 private:
  at::Tensor step(const Batch& batch) {
    if (++steps_ == stop_at_) {
      std::raise(SIGTERM);
    }
    return torch::mse_loss(linear_->forward(batch.data), batch.target);
  }

  Configure configure_;
  int64_t stop_at_;
  int64_t steps_ = 0;
  torch::nn::Linear linear_{nullptr};
};

class SumData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    return make_data_loader(samples(48), {.batch_size = 4, .seed = 5, .shuffle = true});
  }
  std::shared_ptr<DataLoader> val_dataloader() override { return make_data_loader(samples(8), {.batch_size = 4}); }

 private:
  static std::shared_ptr<TensorDataset> samples(int64_t size) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const auto data = torch::randn({size, 4}, generator);
    return std::make_shared<TensorDataset>(data, torch::stack({data.sum(1), data.prod(1)}, 1));
  }
};

RunResult fit(const Configure& configure, const fs::path& run_dir, int64_t stop_at, const std::string& resume) {
  torch::manual_seed(resume.empty() ? 11 : 99);
  auto module = std::make_shared<StoppableModule>(configure, stop_at);
  torch::manual_seed(resume.empty() ? 11 : 98);
  SumData data;
  TrainerOptions options;
  options.max_epochs = kEpochs;
  options.val_check_interval = 0.5;
  options.log_every_n_steps = 1;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.run_dir = run_dir.string();
  Trainer trainer(options);
  save_at<TrainEpochEnded>(trainer, "final");
  trainer.add(LearningRateMonitor({.log_momentum = true}));
  trainer.add(CSVLogger());
  return trainer.fit(*module, data, resume);
}

Fingerprint fingerprint(const RunResult& result) {
  const fs::path run_dir = result.run_dir;
  Fingerprint items = checkpoint_items(run_dir / "checkpoints" / "final.ckpt");
  items["run_state"] = result.state.deterministic_bytes();
  items["events"] = shared_events(run_dir);
  items["metrics.csv"] = read_file(run_dir / "metrics.csv");
  return items;
}

Fingerprint unbroken(const Configure& configure) {
  const TemporaryFolder folder;
  return fingerprint(fit(configure, folder.path() / "run", 0, {}));
}

Configure with(const LrSchedule& schedule, OptimizerConfig::Interval interval = OptimizerConfig::Interval::kStep) {
  return [=](Module& module) -> OptimizerConfig {
    return {.interval = interval,
            .lr_schedule = schedule,
            .optimizer = std::make_shared<torch::optim::Adam>(module.parameters(), torch::optim::AdamOptions(0.05))};
  };
}

/// The loss falls: to kMax every value after the first is a bad one.
Configure with(PlateauOptions plateau, const std::optional<LrSchedule>& schedule = std::nullopt) {
  plateau.monitor = plateau.monitor.empty() ? "val_loss" : plateau.monitor;
  plateau.mode = Mode::kMax;
  plateau.factor = 0.5;
  return [=](Module& module) -> OptimizerConfig {
    return {.interval = OptimizerConfig::Interval::kStep,
            .lr_schedule = schedule,
            .optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.01)),
            .plateau = plateau};
  };
}

/// Changes the checkpoint of a run that was stopped in this step, resumes, and says whether that is noticed: the run
/// refuses, or ends differently.
bool is_noticed(const Configure& configure, int64_t stop_at, const std::function<void(v1::TrainingState&)>& change) {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  fit(configure, run_dir, stop_at, {});
  rewrite_checkpoint(run_dir / "checkpoints" / "interrupted.ckpt",
                     [&](CheckpointParts& parts) { change(parts.training_state); });
  try {
    return !differences(unbroken(configure), fingerprint(fit(configure, run_dir, 0, "last"))).empty();
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

TEST_CASE("a run with any schedule, stopped and resumed, ends where one that was never stopped does") {
  using Interval = PlateauOptions::Interval;
  const std::map<std::string, Configure> configurations = {
      {"one_cycle", with(lr_schedule::one_cycle({.total_steps = 36}))},
      {"linear", with(lr_schedule::linear(30, 0.1))},
      {"polynomial", with(lr_schedule::polynomial(36, 0.9))},
      {"cosine_with_restarts", with(lr_schedule::cosine_with_restarts(5, 2, 0.001))},
      {"sequential",
       with(lr_schedule::sequential({lr_schedule::linear(6, 0.2), lr_schedule::one_cycle({.total_steps = 30})}, {6}))},
      {"chained, by epochs", with(lr_schedule::chained({lr_schedule::linear(2, 0.2), lr_schedule::exponential(0.7)}),
                                  OptimizerConfig::Interval::kEpoch)},
      {"plateau at epochs", with(PlateauOptions{.patience = 0})},
      {"plateau at validations", with(PlateauOptions{.cooldown = 1, .interval = Interval::kValidation, .patience = 1})},
      {"plateau and schedule", with(PlateauOptions{.patience = 0}, lr_schedule::polynomial(40))},
  };
  // In an epoch before its first validation, after it, in the second one, and in the last epoch.
  const std::vector<int64_t> stops = {kSanitySteps + 3, kSanitySteps + kEpochSteps + 10,
                                      kSanitySteps + kEpochSteps + kEpochSteps, kSanitySteps + 2 * kEpochSteps + 9};
  for (const auto& named : configurations) {
    CAPTURE(named.first);
    const Configure& configure = named.second;
    const Fingerprint wanted = unbroken(configure);
    for (const int64_t stop : stops) {
      CAPTURE(stop);
      const TemporaryFolder folder;
      const fs::path run_dir = folder.path() / "run";
      CHECK(fit(configure, run_dir, stop, {}).status == v1::RUN_STATUS_INTERRUPTED);
      const RunResult resumed = fit(configure, run_dir, 0, "last");
      CHECK(resumed.status == v1::RUN_STATUS_FINISHED);
      CHECK(differences(wanted, fingerprint(resumed)) == std::set<std::string>{});
    }
  }
}

TEST_CASE("resuming needs every item of a schedule's and a plateau's state") {
  // After the third validation, so that counts are open; in the second epoch.
  constexpr int64_t kStop = kSanitySteps + kEpochSteps + 10;
  const auto at_validations = PlateauOptions::Interval::kValidation;
  const auto cycle = with(lr_schedule::one_cycle({.total_steps = 36}));
  const auto patient = with(PlateauOptions{.interval = at_validations, .patience = 2});
  const auto cooling = with(PlateauOptions{.cooldown = 3, .interval = at_validations, .patience = 0});
  const auto scheduled = with(PlateauOptions{.interval = at_validations, .patience = 0}, lr_schedule::polynomial(40));
  const auto of_the_past = with(PlateauOptions{.monitor = "first_val_loss", .patience = 0});
  const auto plateau = [](v1::TrainingState& state) { return state.mutable_optimizers(0)->mutable_plateau(); };
  CHECK_FALSE(is_noticed(cycle, kStop, [](auto&) {}));
  CHECK_FALSE(is_noticed(patient, kStop, [](auto&) {}));
  CHECK(is_noticed(cycle, kStop, [](auto& state) { state.mutable_optimizers(0)->set_schedule_step(0); }));
  CHECK(is_noticed(cycle, kStop, [](auto& state) {
    REQUIRE_FALSE(state.optimizers(0).groups(0).momentum_commanded());
    state.mutable_optimizers(0)->mutable_groups(0)->set_momentum_commanded(true);
  }));
  CHECK(is_noticed(patient, kStop, [&](auto& state) { state.mutable_optimizers(0)->clear_plateau(); }));
  CHECK(is_noticed(patient, kStop, [&](auto& state) {
    REQUIRE(plateau(state)->best() > 0);
    plateau(state)->clear_best();
  }));
  CHECK(is_noticed(patient, kStop, [&](auto& state) {
    REQUIRE(plateau(state)->bad_checks() == 2);
    plateau(state)->clear_bad_checks();
  }));
  CHECK(is_noticed(cooling, kStop, [&](auto& state) {
    REQUIRE(plateau(state)->cooldown_left() == 2);
    plateau(state)->clear_cooldown_left();
  }));
  CHECK(is_noticed(scheduled, kStop, [](auto& state) {
    REQUIRE(state.optimizers(0).groups(0).has_lr_factor());
    state.mutable_optimizers(0)->mutable_groups(0)->clear_lr_factor();
  }));
  CHECK(is_noticed(of_the_past, kStop, [](auto& state) {
    REQUIRE(state.loop().latest_metrics_size() > 0);
    state.mutable_loop()->clear_latest_metrics();
  }));
  CHECK(is_noticed(with(lr_schedule::one_cycle({.total_steps = 3}), OptimizerConfig::Interval::kEpoch), kStop,
                   [](auto& state) {
                     REQUIRE(state.loop().epoch_momenta_size() == 1);
                     state.mutable_loop()->clear_epoch_momenta();
                   }));
}
