#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/callbacks/averaging/averaged_weights.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// How the learning rate goes from what it was to the averaging's.
enum class AnnealingStrategy { kCos, kLinear };

template <>
struct EnumNames<AnnealingStrategy> {
  static constexpr std::array<std::pair<AnnealingStrategy, std::string_view>, 2> kNames{
      {{AnnealingStrategy::kCos, "cos"}, {AnnealingStrategy::kLinear, "linear"}}};
};

struct StochasticWeightAveragingOptions {
  int64_t annealing_epochs = 10;  ///< Epochs until the rates are swa_lrs; 0: they are at once.
  AnnealingStrategy annealing_strategy = AnnealingStrategy::kCos;
  /// First epoch whose weights are averaged: a count says which, from 1; a fraction of max_epochs, rounded down,
  /// likewise.
  CountOrFraction swa_epoch_start = 0.8;
  std::vector<double> swa_lrs = {};  ///< Learning rates: one for all parameter groups, or one for each. Required.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Averages the weights over the ends of the last epochs, while the learning rate is annealed to a constant one and
/// held against whatever schedule there is (Izmailov et al., "Averaging weights leads to wider optima and better
/// generalization", UAI 2018). When training has ended the module gets the plain mean of the weights after each epoch
/// from swa_epoch_start on, the last one too, and the running statistics of its BatchNorms are computed anew by one
/// pass over the last epoch's batches. Validations run on the module's own weights.
///
/// Rates are set by command: epoch k of the averaging, from 0, has swa_lr * a + lr * (1 - a), where lr is the rate that
/// the phase began with, t = min(1, k / annealing_epochs), and a = t (linear) or (1 - cos(pi * t)) / 2 (cos), which is
/// what torch.optim.swa_utils.SWALR gives.
///
/// A checkpoint's module is what training goes on from, the callback's state has the mean (load_averaged_weights());
/// after the end of training it is the other way round, and a run that goes on after its end goes on from the module's
/// own weights. Needs automatic optimisation.
class StochasticWeightAveraging {
 public:
  /// Nothing in its controller hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  explicit StochasticWeightAveraging(StochasticWeightAveragingOptions options);

  void on(const SetUp& event, Live& live);
  void on(const FitStarted& event, Control& control);
  void on(const TrainEpochStarted& event, Live& live);
  void on(const TrainBatchEnded& event, Control& control);
  void on(const ValidationEnded& event, Control& control);
  void on(const TrainEpochEnded& event, Live& live);
  void on(const TrainEnded& event, Live& live);

  /// For before and after a run.
  const AveragedWeights& average() const { return average_; }

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  /// The first averaged epoch, from 0. Throws ConfigError when the fit cannot be averaged.
  int64_t first_epoch(const RunState& run) const;
  bool averages_now(const RunState& run) const;
  double annealed_rate(size_t group, int64_t epoch) const;
  /// Commands the rate of every group that has another one; of all groups for `all`.
  void hold_rates(Control& control, bool all) const;

  StochasticWeightAveragingOptions options_;
  AveragedWeights average_;
  std::optional<int64_t> first_epoch_;  // Once the phase has begun.
  std::vector<double> first_rates_;     // Of the groups, when it began.
  bool finished_ = false;               // Training has ended: the mean is in the module.
};

}  // namespace troupe
