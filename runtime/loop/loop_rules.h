#pragma once

#include <troupe/v1/checkpoint.pb.h>
#include <troupe/v1/event.pb.h>

#include <string>

#include "troupe/runtime/event/stop_votes.h"
#include "troupe/runtime/options/loop_limits.h"

namespace troupe {

/// How a run ended.
struct RunOutcome {
  v1::RunStatus status = v1::RUN_STATUS_FINISHED;
  std::string reason;       ///< One line: the limit, the votes or the signal.
  std::string stopped_by;   ///< State key of the callback whose vote stopped it; empty otherwise.
  std::string stop_reason;  ///< That vote's reason.
  int signal = 0;           ///< What interrupted it; 0 otherwise.
};

/// What comes next in a fit, by Lightning's rules: functions of where the loop stands, of its limits and of the votes
/// to stop. They change nothing and read no clock.
class LoopRules {
 public:
  /// All three are read in each call, and must outlive the rules.
  LoopRules(const v1::LoopState& loop, const LoopLimits& limits, const StopVotes& votes)
      : loop_(loop), limits_(limits), votes_(votes) {}

  /// Whether the fit has trained enough: it stands between two epochs, and no other one is to come.
  bool done() const;
  /// Whether this epoch has no other batch.
  bool epoch_finished() const;
  /// Whether the epoch has fewer batches behind it than it was to have.
  bool epoch_cut_short() const {
    return !loop_.data_ended() && static_cast<int64_t>(loop_.batches_done()) < limits_.train_batches;
  }
  bool reached_max_steps() const;

  enum class Validation {
    kNotDue,
    kDue,
    kByTheClock,  ///< Due if the time between validations has passed.
  };
  /// Whether a validation follows the batch that has just ended.
  Validation validation() const;
  /// Whether SkipEpoch came when it had been settled that the last batch brings no validation, which it now may.
  bool validation_was_skipped() const;

  /// How a fit that is done ended; it was not interrupted.
  RunOutcome outcome() const;

 private:
  bool reached_max_epochs() const;
  /// Whether votes count yet: the minima are met.
  bool stop_allowed() const;
  bool stopping() const { return votes_.any() && stop_allowed(); }

  const v1::LoopState& loop_;
  const LoopLimits& limits_;
  const StopVotes& votes_;
};

/// Whether an epoch is between its TrainEpochStarted and its TrainEpochEnded.
bool in_epoch(const v1::LoopState& loop);

}  // namespace troupe
