#pragma once

#include <cstdint>
#include <map>

#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct GradientAccumulationSchedulerOptions {
  /// Batches per optimizer step, by the epoch (counted from 0) that they hold from. Required; where epoch 0 is missing,
  /// it is 1.
  std::map<int64_t, int64_t> scheduling = {};

  void describe(OptionVisitor& visit);
};

/// Changes how many batches share an optimizer step, at the starts of epochs: an epoch has the number of the latest
/// entry that is not after it. It commands nothing where that number is in force already, and keeps no state: the
/// number in force is the loop's, so a run that is resumed within an epoch has it. With another `scheduling` than
/// before, a resumed run follows it from the next start of an epoch on.
///
/// The Trainer refuses it with a ConfigError beside its own accumulate_grad_batches, and for a module that optimises
/// manually. Rules of Lightning's GradientAccumulationScheduler, which after such a resume has 1 until the next epoch.
class GradientAccumulationScheduler {
 public:
  /// Nothing in its hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Throws ConfigError when `scheduling` is empty, an epoch is negative, or a number of batches is below 1.
  explicit GradientAccumulationScheduler(GradientAccumulationSchedulerOptions options);

  void on(const TrainEpochStarted& event, Control& control);

  /// Batches per optimizer step in an epoch.
  int64_t batches_in(int64_t epoch) const;

 private:
  GradientAccumulationSchedulerOptions options_;
};

}  // namespace troupe
