#pragma once

#include <optional>
#include <string>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/event/stop_votes.h"
#include "troupe/runtime/loop/command_refusals.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/optimization.h"
#include "troupe/runtime/loop/run_frame.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// What comes to a fit from outside, and does there: commands of callbacks and of operators, a round after the other,
/// signals, and the pauses that operators ask for. On the loop's thread; throws what the sink threw.
class FitCommands {
 public:
  /// Takes the round that `training` was left in, if it was, out of it. All must outlive the commands.
  FitCommands(Training& training, const FitData& data, const Optimization& optimization, EventEmitter& emitter,
              const TrainerOptions& options);

  /// Carries out a round that answers an event of the type `about`, or refuses what makes no sense.
  void apply(const Round& round, EventType about);
  /// Carries out what a round still had to do when the checkpoint that the run goes on from was taken in it.
  void finish_unfinished_round();
  /// A batch boundary: carries out what operators sent, waits while the run is paused, and throws Interrupted if a
  /// signal or an operator asks for it, with a checkpoint taken unless the run takes none.
  void check_interrupt();

  /// Of callbacks. An operator's stop is none: it does not wait for the minima.
  const StopVotes& votes() const { return votes_; }

 private:
  /// Who stopped the run, and why.
  struct OperatorStop {
    std::string from;
    std::string reason;
  };

  void carry_out_pending();
  void carry_out(const Decision& decision);
  void carry_out_vote(const Decision& decision);
  void carry_out_checkpoint(const Decision& decision);
  void take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from);
  [[noreturn]] void interrupt(Interrupted interrupted, const std::string& from);

  v1::LoopState& loop() { return training_.loop(); }

  Training& training_;
  EventEmitter& emitter_;
  const CommandRefusals refusals_;
  const bool saves_when_interrupted_;
  StopVotes votes_;
  std::optional<OperatorStop> operator_stop_;
  v1::PendingRound unfinished_round_;
};

}  // namespace troupe
