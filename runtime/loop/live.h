#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/loop/trial.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/module/step_outputs.h"

namespace troupe {

/// What a Live hook gets: the module and the optimizers themselves, while the loop stands still. The hook runs on the
/// loop's thread, after the round of the event's controllers; it may read and change everything. What it changes by
/// itself is part of the program: a log with such changes does not replay. Valid only inside the hook.
class Live {
 public:
  using Optimizers = std::vector<std::reference_wrapper<torch::optim::Optimizer>>;
  using TrialRunner = std::function<TrialResult(const TrialOptions&)>;

  /// What the loop lends. No optimizers and no runners outside a fit.
  struct Loan {
    Module& module;
    Optimizers optimizers = {};
    TrialRunner run_trial = {};
    const StepOutputs* outputs = nullptr;
    std::function<void()> forward_train_batches = {};
  };
  Live(Loan loan, const RunState& run, uint64_t elapsed_us) : loan_(std::move(loan)), control_(run, elapsed_us) {}

  Module& module() { return loan_.module; }
  /// In the order of configure_optimizers(). Throws ConfigError in validate, test and predict, which have none.
  const Optimizers& optimizers() const;
  /// The state exactly after the event.
  const RunState& run() const { return control_.run(); }
  /// Microseconds that the run had run at the event, over all incarnations.
  uint64_t elapsed_us() const { return control_.elapsed_us(); }
  /// Commands: they are applied right after this hook, as a round of its own; those about checkpoints after all Live
  /// hooks of the event.
  Control& control() { return control_; }
  /// The tensors of the batch that has just ended; null but at TrainBatchEnded, ValidationBatchEnded, TestBatchEnded
  /// and PredictBatchEnded.
  const StepOutputs* outputs() const { return loan_.outputs; }

  /// The parameters that have a gradient, by name, in registration order. Gradients are there from BackwardEnded until
  /// the ZeroGradStarted of the next accumulation window.
  std::vector<std::pair<std::string, at::Tensor>> gradients() const;
  /// The 2-norm of each of these gradients.
  std::vector<std::pair<std::string, double>> gradient_norms() const;

  /// Trains a few steps and takes them back: see trial.h. Allowed at recorded events of a fit, but for UserEvent,
  /// ExceptionRaised and TornDown. Throws ConfigError elsewhere, and what the steps threw; then too everything has been
  /// put back.
  TrialResult run_trial(const TrialOptions& options);
  /// Runs training_step on every batch of the present epoch, without gradients: see run_forward_epoch() in trial.h. For
  /// buffers that are statistics of the data. Allowed where run_trial() is; throws ConfigError elsewhere, and what the
  /// steps threw.
  void forward_train_batches();

 private:
  Loan loan_;
  Control control_;
};

/// Runs a callback's Live hook for the event and returns what it commanded.
std::vector<v1::Command> run_live_hook(Callback& callback, const Event& event, const RunState& run, Live::Loan loan);

}  // namespace troupe
