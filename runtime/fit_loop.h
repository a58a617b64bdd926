#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/data_loader.h"
#include "runtime/event_emitter.h"
#include "runtime/loop_limits.h"
#include "runtime/run_frame.h"
#include "runtime/stop_votes.h"
#include "runtime/trainer_options.h"
#include "runtime/training.h"

namespace troupe {

/// How a run ended.
struct RunOutcome {
  v1::RunStatus status = v1::RUN_STATUS_FINISHED;
  std::string reason;       ///< One line: the limit, the votes or the signal.
  std::string stopped_by;   ///< State key of the callback whose vote stopped it; empty otherwise.
  std::string stop_reason;  ///< That vote's reason.
  int signal = 0;           ///< What interrupted it; 0 otherwise.
};

/// The training loop: epochs, batches, validation, as Lightning's. It runs on the thread that calls run() and speaks to
/// everything else through an EventSink, so it is tested without actors. docs/events.md has it as pseudocode with every
/// event in place.
class FitLoop {
 public:
  /// Configures the optimizer. `validation` may be null. Everything must outlive the loop. Throws ConfigError.
  FitLoop(Module& module, std::shared_ptr<DataLoader> train, std::shared_ptr<DataLoader> validation,
          const TrainerOptions& options);

  /// Takes the run up where `snapshot` left it. Throws MismatchError.
  void restore(const Snapshot& snapshot);

  /// The facts of this fit: what FitStarted holds.
  v1::FitStarted facts();

  /// Runs to the end. `elapsed_us`: what the run had run before. Throws what the module, the data, the sink or a
  /// controller threw.
  RunOutcome run(EventSink& sink, RunOpening opening, uint64_t elapsed_us = 0);

  Training& training() { return training_; }

 private:
  void fit(const std::string& resumed_from);
  void start_fit();
  void check_sanity();
  void run_epoch();
  void start_epoch();
  void end_epoch();
  void train_batch();
  void backward(const at::Tensor& loss);
  void optimizer_step();
  void validate();
  void end_fit();

  bool done() const;
  bool epoch_finished() const;
  bool validation_due() const;
  bool reached_max_steps() const;
  bool reached_max_epochs() const;
  bool stop_allowed() const;
  bool stopping() const { return votes_.any() && stop_allowed(); }
  RunOutcome outcome() const;

  /// Where the loop stands, for the next events.
  void set_position(Stage stage);
  /// Ends the run here if a signal asks for it.
  void check_interrupt();
  void apply(const Round& round, EventType about);
  /// Carries out what a round still had to do when the checkpoint that the run goes on from was taken in it.
  void finish_pending_round();
  void carry_out_pending();
  /// Why a command makes no sense here; empty when it can be carried out.
  std::string refusal(const Decision& decision, EventType about);
  void carry_out(const Decision& decision);
  void take_checkpoint(const v1::SaveCheckpoint& what, const std::string& from);
  /// `rates_used`: what the step was made with, if learning rates are logged per step.
  void publish_batch_ended(const Batch& batch, bool stepped, const std::vector<double>& rates_used);
  /// Whether LogLearningRates asked for rates at steps, or else at the ends of epochs.
  bool logs_learning_rates(bool per_step) const;
  /// Adds the learning rates to `metrics`, where LogLearningRates asked for them.
  void log_learning_rates(google::protobuf::RepeatedPtrField<Metric>* metrics, const std::vector<double>& rates);

  v1::LoopState& loop() { return training_.loop(); }
  const v1::LoopState& loop() const { return training_.loop(); }

  Module& module_;
  std::shared_ptr<DataLoader> train_loader_;
  std::shared_ptr<DataLoader> validation_loader_;
  const TrainerOptions& options_;
  Training training_;
  LoopLimits limits_;
  std::optional<EventEmitter> emitter_;
  std::optional<ModuleContext> context_;
  StopVotes votes_;
  v1::PendingRound unfinished_round_;  // Of the checkpoint that the run goes on from.
};

}  // namespace troupe
