#include "tests/integration/killed_run.h"

#include <torch/torch.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>

#include "tests/support/noisy_trainer.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/callbacks/stopping/timer.h"
#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {
namespace {

constexpr int64_t kEpochs = 3;

std::mutex visits_mutex;
std::map<std::string, int> visits;
Fault fault;

/// Counts the visit, and dies if it is the one.
void visit(const char* point) {
  const std::lock_guard lock(visits_mutex);
  if (++visits[point] == fault.visit && fault.point == point) {
    ::raise(SIGKILL);
  }
}

/// A command that an operator sends once in a run, while a batch is trained after which no checkpoint is taken: one
/// that was not recorded yet when the process died can be sent again.
struct OperatorCommand {
  int64_t total_batches;
  std::string from;
  v1::Command command;
};

std::vector<OperatorCommand> operator_commands() {
  std::vector<OperatorCommand> commands(4);
  commands[0] = {9, "ann", {}};
  commands[0].command.mutable_set_learning_rate()->set_lr(0.004);
  commands[1] = {9, "bob", {}};
  commands[1].command.mutable_set_accumulation()->set_batches(2);
  commands[2] = {20, "ann", {}};
  commands[2].command.mutable_set_frozen()->set_frozen(true);
  commands[2].command.mutable_set_frozen()->add_parameters("input.weight");
  commands[3] = {36, "bob", {}};
  commands[3].command.mutable_log_metric()->set_name("note");
  commands[3].command.mutable_log_metric()->set_value(3);
  return commands;
}

/// Sends each where the log of the run, all of it, does not have it yet.
class Operators {
 public:
  explicit Operators(const std::filesystem::path& run_dir) : commands_(operator_commands()) {
    if (!has_run(run_dir)) {
      return;
    }
    EventLogReader log(run_dir / "events");
    for (Event event; log.next(event);) {
      std::erase_if(commands_, [&](const OperatorCommand& next) {
        return event.input_recorded().from() == next.from &&
               event.input_recorded().command().SerializeAsString() == next.command.SerializeAsString();
      });
    }
  }

  void come_to(int64_t total_batches, Trainer& trainer) {
    std::erase_if(commands_, [&](const OperatorCommand& next) {
      return next.total_batches == total_batches && trainer.send(next.command, next.from);
    });
  }

 private:
  std::vector<OperatorCommand> commands_;
};

/// Counts what it sees, and looks at nothing but its own state.
class Counter {
 public:
  void on(const TrainBatchEnded& event) { sum_ += event.metrics_size() > 0 ? event.metrics(0).value() : 0; }
  StateDict state_dict() const {
    StateDict state;
    state.set("sum", sum_);
    return state;
  }
  void load_state_dict(const StateDict& state) { sum_ = state.get_double("sum"); }

 private:
  double sum_ = 0;
};

TrainerOptions options_of(const KilledRun& run) {
  TrainerOptions options = noisy_options(run.run_dir, kEpochs);
  options.val_check_interval = 0.3;
  options.num_threads = run.num_threads;
  options.device = run.device;
  options.log_segment_bytes = 4096;
  return options;
}

void add_callbacks(Trainer& trainer) {
  // The loss falls, so with kMax what the callbacks remember is long ago.
  trainer.add(ModelCheckpoint({.mode = Mode::kMax, .monitor = "val_loss", .save_last = true, .save_top_k = 2}));
  trainer.add(ModelCheckpoint({.every_n_train_steps = 4, .filename = "{step}", .save_top_k = -1}));
  trainer.add(EarlyStopping({.mode = Mode::kMax, .monitor = "val_loss", .patience = 100}));
  trainer.add(Timer({.duration = "01:00:00:00"}));
  trainer.add(LearningRateMonitor());
  trainer.add(CSVLogger());
  trainer.add(JSONLogger());
  trainer.add(TensorBoardLogger());
  trainer.add(Counter());
  save_at<TrainEpochEnded>(trainer, "final");
}

bool has_checkpoint(const std::filesystem::path& run_dir) {
  std::error_code none;
  const std::filesystem::directory_iterator files(run_dir / "checkpoints", none);
  return std::any_of(begin(files), end(files), [](const auto& file) { return file.path().extension() == ".ckpt"; });
}

}  // namespace

int train_until_killed(const KilledRun& run) {
  fault = run.fault;
  const bool resumes = has_run(run.run_dir);
  Trainer trainer(options_of(run));
  add_callbacks(trainer);
  Operators operators(run.run_dir);
  fault_hook = visit;

  const bool restores = has_checkpoint(run.run_dir);  // Then nothing may depend on how the module was made.
  torch::manual_seed(restores ? 99 : 11);
  NoisyModule module(kEpochs * kNoisyTrainBatches / 2);
  torch::manual_seed(restores ? 98 : 11);
  NoisyData data(restores);
  module.on_training_step = [&](int64_t batch_index) {
    visit("module.training_step");
    operators.come_to(module.current_epoch() * kNoisyTrainBatches + batch_index, trainer);
  };
  module.on_validation_step = [&] { visit("module.validation_step"); };
  const auto result = trainer.fit(module, data, resumes ? "last" : "");
  fault_hook = nullptr;
  if (!run.visits_file.empty()) {
    std::ofstream file(run.visits_file);
    for (const auto& [point, count] : visits) {
      file << point << ' ' << count << '\n';
    }
  }
  return result.signal != 0 ? 128 + result.signal : 0;
}

}  // namespace troupe
