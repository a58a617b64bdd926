#pragma once

#include <optional>
#include <string>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/event/stop_votes.h"
#include "troupe/runtime/loop/accumulation_window.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/fit_lender.h"
#include "troupe/runtime/loop/loop_rules.h"
#include "troupe/runtime/loop/optimization.h"
#include "troupe/runtime/loop/run_frame.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// The training loop: epochs, batches, validation, as Lightning's. docs/events.md has it as pseudocode with every event
/// in place.
class FitLoop {
 public:
  /// Where it goes on is in `training`. Commands that come back from events, and Live hooks, are its own from here on.
  /// Everything must outlive the loop.
  FitLoop(Training& training, FitData& data, const TrainerOptions& options, EventEmitter& emitter,
          ModuleContext& context);

  /// Runs to the end, or throws: Interrupted at a batch boundary, and what the module, the data, the sink or a
  /// controller threw. `resumed_from`: the checkpoint that it goes on from; empty for none.
  void run(const std::string& resumed_from);
  /// How it ended, when run() has returned.
  RunOutcome outcome() const { return rules_.outcome(); }

 private:
  void start_fit();
  void check_sanity();
  void start_training();
  void run_epoch();
  void start_epoch();
  void end_epoch();
  /// Between two batches: what the last one brought, a validation that is due, and what came from outside.
  void pass_boundary();
  /// False when the module leaves out the rest of the epoch, this batch included.
  bool train_batch();
  void validate();
  void end_fit();

  bool validation_due();
  void start_validation_clock();
  /// Whether a time-based interval has passed; if so, this decision of the clock is recorded.
  bool validation_time_has_come();
  /// Where the loop stands, for the next events.
  void set_position(Stage stage);
  /// A batch boundary: carries out what operators sent, waits while the run is paused, and ends it here if a signal or
  /// an operator asks for it.
  void check_interrupt();
  [[noreturn]] void interrupt(Interrupted interrupted, const std::string& from);
  void apply(const Round& round, EventType about);
  /// Carries out what a round still had to do when the checkpoint that the run goes on from was taken in it.
  void finish_pending_round();
  void carry_out_pending();
  /// Why a command makes no sense here; empty when it can be carried out.
  std::string refusal(const Decision& decision, EventType about);
  std::string checkpoint_refusal(const Decision& decision, EventType about) const;
  std::string group_refusal(const std::string& group);
  void carry_out(const Decision& decision);
  void carry_out_checkpoint(const Decision& decision);
  void carry_out_vote(const Decision& decision);

  // What commands change in the course of the loop (fit_loop_commands.cc).
  /// Steps with the window that SkipEpoch left open, as the epoch's last batch would have.
  void close_skipped_window();
  /// The schedule counts an epoch that was skipped in the middle too.
  void finish_skipped_epoch();

  void take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from);
  /// `rates_used`: what the step was made with, if learning rates are logged per step.
  void publish_batch_ended(const Batch& batch, const at::Tensor& loss, bool stepped, const GroupRates& rates_used);
  /// Whether LogLearningRates asked for rates at steps, or else at the ends of epochs.
  bool logs_learning_rates(bool per_step) const;
  /// Adds the learning rates to `metrics`, where LogLearningRates asked for them.
  void log_learning_rates(google::protobuf::RepeatedPtrField<Metric>* metrics, const GroupRates& rates);

  /// Who stopped the run, and why.
  struct OperatorStop {
    std::string from;
    std::string reason;
  };

  v1::LoopState& loop() { return training_.loop(); }
  const v1::LoopState& loop() const { return training_.loop(); }

  Training& training_;
  Module& module_;
  FitData& data_;
  const TrainerOptions& options_;
  EventEmitter& emitter_;
  ModuleContext& context_;
  Optimization optimization_{training_, options_, emitter_, context_};
  StopVotes votes_;
  const LoopRules rules_{training_.loop(), data_.limits(), votes_};
  AccumulationWindow window_{training_.loop(), options_.accumulate_grad_batches};
  FitLender lender_{training_, data_, optimization_, window_};
  std::optional<OperatorStop> operator_stop_;
  v1::PendingRound unfinished_round_;  // Of the checkpoint that the run goes on from.
};

}  // namespace troupe
