#pragma once

#include <memory>
#include <optional>
#include <string>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/event/stop_votes.h"
#include "troupe/runtime/loop/accumulation_window.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/loop/loop_rules.h"
#include "troupe/runtime/loop/run_frame.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/loop_limits.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// The training loop: epochs, batches, validation, as Lightning's. It runs on the thread that calls run() and speaks to
/// everything else through an EventSink, so it is tested without actors. docs/events.md has it as pseudocode with every
/// event in place.
class FitLoop : private ManualOptimization {
 public:
  /// Sets the module up and configures its optimizers. Everything must outlive the loop. Throws ConfigError.
  FitLoop(Module& module, std::shared_ptr<DataLoader> train, DataLoaders validation, const TrainerOptions& options);
  /// With one validation loader, or none (null).
  FitLoop(Module& module, std::shared_ptr<DataLoader> train, const std::shared_ptr<DataLoader>& validation,
          const TrainerOptions& options)
      : FitLoop(module, std::move(train), validation ? DataLoaders{validation} : DataLoaders(), options) {}

  /// Takes the run up where `snapshot` left it. Throws MismatchError.
  void restore(const Snapshot& snapshot);

  /// The facts of this fit: what FitStarted holds.
  v1::FitStarted facts();
  /// RunResumed with what it says of the fit, after restore().
  RunResumed resumed();

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
  /// Between two batches: what the last one brought, a validation that is due, and what came from outside.
  void pass_boundary();
  /// False when the module leaves out the rest of the epoch, this batch included.
  bool train_batch();
  at::Tensor training_step(const Batch& batch, int64_t index);
  void optimizer_step(size_t optimizer);
  void validate();
  void end_fit();

  // What a module that optimises manually calls (fit_loop_manual.cc); backward is the loop's own too.
  void require_automatic_options() const;
  int64_t optimizers() const override { return static_cast<int64_t>(training_.optimizers()); }
  torch::optim::Optimizer& optimizer(int64_t optimizer) override;
  void backward(const at::Tensor& loss) override;
  void run_backward(const at::Tensor& loss);
  void step(int64_t optimizer) override { optimizer_step(static_cast<size_t>(optimizer)); }
  void zero_grad(int64_t optimizer) override { training_.zero_grad(static_cast<size_t>(optimizer)); }
  void toggle(int64_t optimizer) override;
  void untoggle() override;
  void advance_schedule(int64_t optimizer) override { training_.advance_schedule(static_cast<size_t>(optimizer)); }

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
  std::string batch_size_refusal(int64_t samples) const;
  std::string group_refusal(const std::string& group);
  LoopLimits limits_with(const DataLoader& train) const;
  void carry_out(const Decision& decision);
  void carry_out_checkpoint(const Decision& decision);
  void carry_out_vote(const Decision& decision);

  // What commands change in the course of the loop (fit_loop_commands.cc).
  /// Turns to batches of `samples` samples, 0 for those that the loader was made with.
  void adopt_batch_size(uint32_t samples);
  /// Steps with the window that SkipEpoch left open, as the epoch's last batch would have.
  void close_skipped_window();
  /// The schedule counts an epoch that was skipped in the middle too.
  void finish_skipped_epoch();

  /// What a Live hook of this event is lent.
  Live::Loan loan(EventType about, const StepOutputs* outputs);
  TrialResult run_trial(EventType about, const TrialOptions& options);
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

  Module& module_;
  ModuleScope scope_;
  std::shared_ptr<DataLoader> train_loader_;
  DataLoaders validation_loaders_;
  const TrainerOptions& options_;
  Training training_;
  LoopLimits limits_;
  const LoopLimits first_limits_;  // With the batch size that the loader was made with.
  const uint32_t first_batch_size_;
  std::optional<EventEmitter> emitter_;
  ModuleContext* context_ = nullptr;  // While it runs.
  StopVotes votes_;
  const LoopRules rules_{training_.loop(), limits_, votes_};
  AccumulationWindow window_{training_.loop(), options_.accumulate_grad_batches};
  std::optional<OperatorStop> operator_stop_;
  std::vector<at::Tensor> toggled_off_;  // Parameters that toggle() keeps from taking a gradient.
  v1::PendingRound unfinished_round_;    // Of the checkpoint that the run goes on from.
};

}  // namespace troupe
