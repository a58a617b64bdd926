#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/module.h"
#include "runtime/snapshot.h"

namespace troupe {

/// What a fit changes: the module, its optimizer and schedule, and where the loop stands. Everything that resuming
/// needs is captured and restored here. Used from the loop's thread only.
class Training {
 public:
  /// Asks the module for its optimizer and sets the rates that the schedule starts with. Throws ConfigError unless
  /// there is exactly one, of a class whose state can be kept.
  explicit Training(Module& module, uint64_t seed);

  Module& module() { return module_; }
  v1::LoopState& loop() { return loop_; }
  const v1::LoopState& loop() const { return loop_; }
  /// Running means of the train epoch.
  MetricCollector& epoch_metrics() { return epoch_metrics_; }

  /// Drops the gradients, as zero_grad(set_to_none) does.
  void zero_grad();
  /// One optimizer step with the gradients as they are; advances a schedule that counts steps.
  void optimizer_step();
  /// Advances a schedule that counts epochs.
  void epoch_ended();

  /// Facts of every parameter group, named as Lightning's LearningRateMonitor does.
  std::vector<v1::ParamGroup> param_groups();
  /// Rates of every group, in the order of param_groups().
  std::vector<double> learning_rates();
  /// Adds the rates of every group, unless they are those that it added last.
  void add_changed_learning_rates(google::protobuf::RepeatedField<double>* rates);
  /// Sets the rate of the named group, or of all for an empty name; what the schedule sets later is scaled by the same
  /// ratio. False when no group has this name.
  bool set_learning_rate(double lr, const std::string& group);
  /// Whether the schedule counts optimizer steps; false for none.
  bool schedules_per_step() const;
  bool has_schedule() const { return config_.lr_schedule.has_value(); }

  /// Modes of the submodules as an evaluation found them: while one runs, these are what a snapshot keeps.
  void set_modes_before_evaluation(std::optional<std::vector<std::string>> modes) {
    modes_before_evaluation_ = std::move(modes);
  }
  /// The generator's state as the sanity check found it, which puts it back: kept in snapshots taken inside it.
  void set_rng_before_sanity_check(at::Tensor state) { rng_before_sanity_check_ = std::move(state); }
  const at::Tensor& rng_before_sanity_check() const { return rng_before_sanity_check_; }

  /// Copies everything.
  std::shared_ptr<Snapshot> capture(bool weights_only);
  /// Puts everything back. Throws MismatchError, before the module is changed, when the snapshot is of another model or
  /// optimizer.
  void restore(const Snapshot& snapshot);

 private:
  torch::optim::Optimizer& optimizer() { return *config_.optimizer; }
  std::string group_name(size_t index);
  void apply_schedule();
  bool window_is_open() const { return loop_.accumulated_batches() > 0; }

  Module& module_;
  OptimizerConfig config_;
  std::vector<double> base_lrs_;
  int64_t schedule_step_ = 0;   // Advances that the schedule has made.
  int64_t schedule_units_ = 0;  // Steps or epochs that it has counted.
  uint64_t seed_;
  v1::LoopState loop_;
  MetricCollector epoch_metrics_;
  std::optional<std::vector<std::string>> modes_before_evaluation_;
  at::Tensor rng_before_sanity_check_;
};

}  // namespace troupe
