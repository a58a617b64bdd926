#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/module/module.h"
#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/module/snapshot_pool.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

class ShadowMemory;

/// What a step is made with, by parameter group.
struct GroupRates {
  std::vector<double> learning_rates;
  std::vector<double> momenta;  ///< Only where a schedule cycles them.
};

/// What a fit changes: the module, its optimizers and schedules, and where the loop stands. Everything that resuming
/// needs is captured and restored here. Used from the loop's thread only.
class Training {
 public:
  /// Asks the module for its optimizers and sets the rates that the schedules start with. Throws ConfigError unless
  /// there is exactly one, or, with manual optimisation, at least one, all of classes whose state can be kept; and as
  /// require_storable does.
  explicit Training(Module& module, uint64_t seed);

  Module& module() { return module_; }
  v1::LoopState& loop() { return loop_; }
  const v1::LoopState& loop() const { return loop_; }
  /// Running means of the train epoch.
  MetricCollector& epoch_metrics() { return epoch_metrics_; }

  size_t optimizers() const { return optimizers_.size(); }
  torch::optim::Optimizer& optimizer(size_t index = 0) { return *optimizers_[index].config.optimizer; }
  /// Whether the loop takes the steps and advances the schedules. Otherwise the module does.
  bool automatic() const { return automatic_; }

  /// Drops the gradients of an optimizer's parameters, as zero_grad(set_to_none) does.
  void zero_grad(size_t index = 0);
  /// One step with the gradients as they are; with automatic optimisation it advances a schedule that counts steps.
  void optimizer_step(size_t index = 0);
  /// With automatic optimisation: advances a schedule that counts epochs.
  void epoch_ended();
  /// Advances the schedule of one optimizer, if it has one.
  void advance_schedule(size_t index);

  // Plateaus (training_schedules.cc).

  bool uses_plateau() const;
  /// Keeps the latest value of every metric, for the plateaus; does nothing where there are none.
  void remember_metric(const std::string& name, double value);
  void remember_metrics(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics);
  /// Lets the plateaus of this interval look at their metric, if the `count`-th epoch or validation is one of theirs,
  /// and adds the rates of every group to `rates` if they are not those emitted last. Throws ConfigError, with the
  /// names of the metrics that there are, when the metric is not among them; in an epoch that was cut short, where it
  /// may not have come yet, there is then no check.
  void check_plateaus(PlateauOptions::Interval interval, uint64_t count, bool cut_short,
                      google::protobuf::RepeatedField<double>* rates);

  /// Facts of every parameter group of every optimizer, named as Lightning's LearningRateMonitor does.
  std::vector<v1::ParamGroup> param_groups();
  /// Rates of every group, in the order of param_groups().
  std::vector<double> learning_rates();
  GroupRates group_rates();
  /// Adds the rates of every group, unless they are those that it added last.
  void add_changed_learning_rates(google::protobuf::RepeatedField<double>* rates);

  // Commands (training_commands.cc). `group`: the group's name, or empty for every group. They have been checked.

  /// Sets the rate. What the schedule gives from here on is multiplied by the ratio of this rate to what the schedule
  /// alone gives now; where that is 0, by the ratio to the configured rate. Where that is 0 too, `lr` takes its place.
  /// False when there is no such group.
  bool set_learning_rate(double lr, const std::string& group);
  /// Sets the momentum, or the first beta, of the groups; from here on a schedule that cycles it leaves it alone.
  void set_momentum(double momentum, const std::string& group);
  /// Why the momentum cannot be set; empty when it can.
  std::string momentum_refusal(double momentum, const std::string& group);
  /// Whether a group has this name, or the name is empty.
  bool has_group(const std::string& group);
  /// Lets these parameters (names, or prefixes of them that end before a dot) take gradients no more, and drops those
  /// that they have; or lets them take gradients again.
  void set_frozen(const v1::SetFrozen& command);
  /// Why they cannot be frozen or unfrozen; empty when they can.
  std::string frozen_refusal(const v1::SetFrozen& command) const;

  /// Every optimizer.
  std::vector<std::reference_wrapper<torch::optim::Optimizer>> all_optimizers();
  /// Whether any schedule counts optimizer steps.
  bool schedules_per_step() const;
  /// Whether any schedule changes momenta too.
  bool cycles_momentum() const;

  /// Modes of the submodules as an evaluation found them: while one runs, these are what a snapshot keeps.
  void set_modes_before_evaluation(std::optional<std::vector<std::string>> modes) {
    modes_before_evaluation_ = std::move(modes);
  }
  /// Around the sanity check, which leaves the generators' states as it finds them: kept in snapshots taken inside it.
  void remember_rng() { rng_before_sanity_check_ = rng_states(module_); }
  void put_back_rng();
  /// Names of the submodules that do not train: those in eval mode, but while an evaluation runs those that were.
  std::vector<std::string> modules_not_training() const;

  /// What the data module adds to a checkpoint and takes from one; unset: nothing.
  void set_data_state(std::function<StateDict()> data_state) { data_state_ = std::move(data_state); }

  /// Makes the memory of both shadows before the first capture, so that it costs what later ones do: as much as the
  /// tensors of the module and of its optimizers have once they have made a step. Calls no hook, and returns at once:
  /// the pages come while training has begun, and what is returned can wait for them.
  std::shared_ptr<ShadowMemory> prepare_shadows();
  /// Copies everything, into one of two snapshots that are used in turn where nobody holds them any more.
  std::shared_ptr<Snapshot> capture(bool weights_only);
  /// Puts everything back. Throws MismatchError when the snapshot is of another model or optimizer, before the module
  /// is changed but by its own on_load_checkpoint.
  void restore(const Snapshot& snapshot);

 private:
  struct Slot {
    OptimizerConfig config;
    std::string name;  // "Adam"; the second one of that name is "Adam-1".
    std::vector<double> base_lrs = {};
    std::vector<double> lr_factors = {};  // What SetLearningRate and a plateau multiply the schedule's rates by.
    std::vector<bool> momentum_commanded = {};
    int64_t schedule_step = 0;   // Advances that the schedule has made.
    int64_t schedule_units = 0;  // Steps or epochs that it has counted.
    std::optional<Plateau> plateau = std::nullopt;

    bool counts(OptimizerConfig::Interval interval) const {
      return config.lr_schedule.has_value() && config.interval == interval;
    }
    bool cycles_momentum() const { return config.lr_schedule.has_value() && config.lr_schedule->cycles_momentum(); }
    std::string group_name(size_t index) const;
    void apply_schedule();
    /// Everything about rates: of one group, to and from a checkpoint.
    void save_rates(v1::OptimizerState& state) const;
    void load_rates(const v1::OptimizerState& state);
    /// What the schedule alone gives now.
    double scheduled_lr(size_t index) const {
      return config.lr_schedule ? (*config.lr_schedule)(base_lrs[index], schedule_step) : base_lrs[index];
    }
    void set_lr(double lr, size_t index);
  };
  static std::vector<Slot> take_optimizers(Module& module);

  void count_unit(Slot& slot);
  void check_plateau(Slot& slot, uint64_t count, bool cut_short);
  /// Calls visit(slot, index in the slot, group) for every group of every optimizer.
  template <class Visit>
  void for_each_group(const Visit& visit) {
    for (auto& slot : optimizers_) {
      auto& groups = slot.config.optimizer->param_groups();
      for (size_t i = 0; i < groups.size(); ++i) {
        visit(slot, i, groups[i]);
      }
    }
  }
  /// The same for those of this name, or all for an empty one. Whether there are any.
  template <class Visit>
  bool for_each_group(const std::string& name, const Visit& visit) {
    bool found = false;
    for_each_group([&](Slot& slot, size_t index, torch::optim::OptimizerParamGroup& group) {
      if (name.empty() || name == slot.group_name(index)) {
        visit(slot, index, group);
        found = true;
      }
    });
    return found;
  }
  /// Gradients that the next step still needs. The loop cannot know of a manual one's.
  bool holds_gradients() const { return !automatic_ || loop_.accumulated_batches() > 0; }

  Module& module_;
  bool automatic_;
  std::vector<Slot> optimizers_;
  uint64_t seed_;
  v1::LoopState loop_;
  MetricCollector epoch_metrics_;
  std::optional<std::vector<std::string>> modes_before_evaluation_;
  std::vector<NamedTensor> rng_before_sanity_check_;  // Empty outside it.
  std::function<StateDict()> data_state_;
  SnapshotPool shadows_;
};

}  // namespace troupe
