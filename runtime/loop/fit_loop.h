#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/loop/accumulation_window.h"
#include "troupe/runtime/loop/fit_commands.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/fit_lender.h"
#include "troupe/runtime/loop/learning_rate_log.h"
#include "troupe/runtime/loop/loop_rules.h"
#include "troupe/runtime/loop/optimization.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/loop/validation_clock.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// The training loop: epochs, batches, validation, as Lightning's. docs/events.md has it as pseudocode with every event
/// in place. It says when what happens; its parts do it.
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
  /// Between two batches: what the last one brought, a validation that is due, and what came from outside.
  void pass_boundary();
  /// False when the module leaves out the rest of the epoch, this batch included.
  bool train_batch();
  void publish_batch_ended(const Batch& batch, const at::Tensor& loss, bool stepped, const GroupRates& rates_used);
  /// Steps with the window that SkipEpoch left open, as the epoch's last batch would have.
  void close_skipped_window();
  bool validation_due();
  void validate();
  void end_epoch();
  void end_fit();

  /// Where the loop stands, for the next events.
  void set_position(Stage stage);
  v1::LoopState& loop() { return training_.loop(); }

  Training& training_;
  Module& module_;
  FitData& data_;
  const TrainerOptions& options_;
  EventEmitter& emitter_;
  ModuleContext& context_;
  Optimization optimization_{training_, options_, emitter_, context_};
  FitCommands commands_{training_, data_, optimization_, emitter_, options_};
  const LoopRules rules_{training_.loop(), data_.limits(), commands_.votes()};
  AccumulationWindow window_{training_.loop(), options_.accumulate_grad_batches};
  ValidationClock clock_{training_.loop(), data_.limits(), emitter_};
  LearningRateLog rates_log_{training_, options_.log_every_n_steps};
  FitLender lender_{training_, data_, optimization_, window_};
};

}  // namespace troupe
