#pragma once

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/batch.h"
#include "runtime/event.h"
#include "runtime/lr_schedule.h"
#include "runtime/metric_collector.h"

namespace troupe {

/// How a value is logged; Lightning's names and defaults. Unset: training_step logs per step, the evaluation steps per
/// epoch.
struct LogOptions {
  std::optional<bool> on_step = std::nullopt;   ///< In the event of this batch.
  std::optional<bool> on_epoch = std::nullopt;  ///< As a mean over the epoch, weighted by samples.
  bool prog_bar = false;                        ///< Show it in progress displays.
  int64_t batch_size = 0;                       ///< Samples that the value is the mean of; 0: those of the batch.
};

/// An optimizer and what happens to its learning rate.
struct OptimizerConfig {
  enum class Interval { kStep, kEpoch };

  std::shared_ptr<torch::optim::Optimizer> optimizer = nullptr;
  std::optional<LrSchedule> lr_schedule = std::nullopt;  ///< Scales each group's rate as configured; none: it stays.
  Interval interval = Interval::kEpoch;                  ///< What the schedule counts: optimizer steps or epochs.
  int64_t frequency = 1;                                 ///< It is advanced after so many of them.
  std::string name = {};  ///< Names it in metrics ("lr-<name>"); by default its class, "Adam".
};

/// The user's research code. Its steps and hooks run on the thread that called Trainer::fit (validate, test, predict),
/// one at a time. What a step throws ends the run and reaches the caller. At each place the module's hook runs first,
/// then the event is emitted, so callbacks see whatever the module logged there.
class Module : public torch::nn::Module {
 public:
  /// The loss of one batch: a scalar with a graph, or an undefined tensor to skip the batch (its gradients and the step
  /// still happen for what the accumulation window holds).
  virtual at::Tensor training_step(const Batch& batch, int64_t batch_index);
  /// Logs metrics of one batch; runs in eval mode without gradients. Needed when the data has the stage's loader.
  virtual void validation_step(const Batch& batch, int64_t batch_index);
  virtual void test_step(const Batch& batch, int64_t batch_index);
  /// The prediction for one batch.
  virtual at::Tensor predict_step(const Batch& batch, int64_t batch_index);
  /// Called once at the start of a fit. Exactly one optimizer is taken.
  virtual std::vector<OptimizerConfig> configure_optimizers();

  // Lightning's hooks, each before its event.
  virtual void on_fit_start() {}
  virtual void on_fit_end() {}
  virtual void on_train_start() {}
  virtual void on_train_end() {}
  virtual void on_train_epoch_start() {}
  virtual void on_train_epoch_end() {}
  virtual void on_train_batch_start(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) {}
  virtual void on_validation_start() {}
  virtual void on_validation_end() {}
  virtual void on_validation_epoch_start() {}
  virtual void on_validation_epoch_end() {}
  virtual void on_test_start() {}
  virtual void on_test_end() {}
  virtual void on_test_epoch_start() {}
  virtual void on_test_epoch_end() {}
  virtual void on_predict_start() {}
  virtual void on_predict_end() {}
  virtual void on_before_optimizer_step() {}

  /// Logs a metric; inside steps and epoch hooks only. A tensor must have one element; on the CPU it is read at once.
  void log(std::string_view name, const at::Tensor& value, const LogOptions& options = {});
  void log(std::string_view name, double value, const LogOptions& options = {});

  /// Epoch of the fit, counted from 0.
  int64_t current_epoch() const { return position_.epoch(); }
  bool sanity_checking() const { return position_.stage() == v1::STAGE_SANITY_CHECK; }
  /// Optimizer steps completed.
  int64_t global_step() const { return static_cast<int64_t>(position_.global_step()); }

 private:
  friend class ModuleContext;

  Position position_;
  MetricCollector* collector_ = nullptr;
  bool in_step_ = false;             // Otherwise in an epoch hook: per-epoch logging only.
  bool step_logs_per_step_ = false;  // The default in this stage's step.
  int64_t samples_ = 0;
};

/// The loop's side of a module: says where in the run it is and where its metrics go. One per loop; not for users.
class ModuleContext {
 public:
  explicit ModuleContext(Module& module) : module_(module) {}
  ~ModuleContext() { leave(); }
  ModuleContext(const ModuleContext&) = delete;
  ModuleContext& operator=(const ModuleContext&) = delete;

  void set_position(const Position& position) { module_.position_ = position; }
  /// From here on log() takes values of a step over `samples` samples.
  void enter_step(MetricCollector& collector, int64_t samples, bool logs_per_step) {
    module_.collector_ = &collector;
    module_.in_step_ = true;
    module_.samples_ = samples;
    module_.step_logs_per_step_ = logs_per_step;
  }
  /// From here on log() takes values per epoch.
  void enter_epoch_hook(MetricCollector& collector) {
    module_.collector_ = &collector;
    module_.in_step_ = false;
    module_.samples_ = 1;
    module_.step_logs_per_step_ = false;
  }
  /// From here on log() is an error.
  void leave() { module_.collector_ = nullptr; }

 private:
  Module& module_;
};

}  // namespace troupe
