#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "troupe/callbacks/averaging/averaged_weights.h"
#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct EMAWeightAveragingOptions {
  double decay = 0.999;              ///< Of the average that is kept at an update; the rest comes from the weights.
  int64_t update_every_n_steps = 1;  ///< Optimizer steps: after steps 0, n, 2n, ...; 0: not by steps.
  /// Epoch, from 0, from whose end on every epoch's end is an update too; unset: none is.
  std::optional<int64_t> update_starting_at_epoch = std::nullopt;
  std::optional<int64_t> update_starting_at_step = std::nullopt;  ///< First step, from 0, to update after; unset: 0.
  bool use_buffers = true;  ///< Average buffers too; otherwise the average has those of its last update.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Keeps an exponential moving average of the weights: at every update average = decay * average + (1 - decay) *
/// weights, in the weights' own type; the first update takes the weights as they are. Validations of a fit run on the
/// average, and the module has it when training has ended; both not before the first update. When a fit does not get
/// that far, the module has its own weights again.
///
/// A checkpoint's module is what training goes on from, the callback's state has the average; within a validation and
/// after the end of training it is the other way round. load_averaged_weights() finds it. A run that goes on after its
/// end goes on from the module's own weights.
///
/// When and how it updates is as in Lightning's EMAWeightAveraging.
class EMAWeightAveraging {
 public:
  explicit EMAWeightAveraging(EMAWeightAveragingOptions options = {});

  void on(const SetUp& event, Live& live);
  void on(const TrainEpochStarted& event, Live& live);
  void on(const TrainBatchEnded& event, Live& live);
  void on(const ValidationStarted& event, Live& live);
  void on(const ValidationEnded& event, Live& live);
  void on(const TrainEpochEnded& event, Live& live);
  void on(const TrainEnded& event, Live& live);
  void on(const ExceptionRaised& event, Live& live);
  void on(const TornDown& event, Live& live);
  std::vector<AskWhen> ask_when() const;

  /// For before and after a run.
  const AveragedWeights& average() const { return average_; }

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  /// Updates if one of the optimizer steps since the last call asks for it.
  void update_after_steps(uint64_t global_step);
  bool asks_for_update(int64_t first_step, int64_t end_step) const;
  void update();
  /// Puts the module's own weights back when a validation could not.
  void end_validation();

  EMAWeightAveragingOptions options_;
  AveragedWeights average_;
  int64_t seen_steps_ = 0;  // Optimizer steps that have been looked at.
  bool finished_ = false;   // Training has ended: the average is in the module to stay.
};

}  // namespace troupe
