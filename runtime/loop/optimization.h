#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/loop/trial.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// How a fit changes parameters: training_step, gradients, optimizer steps, each between its hooks and events. The loop
/// calls it, and through its ManualOptimizers a module that optimises manually. On the loop's thread; throws what the
/// module threw.
class Optimization final : private ManualOptimization {
 public:
  /// All must outlive it.
  Optimization(Training& training, const TrainerOptions& options, EventEmitter& emitter, ModuleContext& context)
      : training_(training), module_(training.module()), options_(options), emitter_(emitter), context_(context) {}

  /// The module's training_step, and inside it what the module does by itself if it optimises manually.
  at::Tensor training_step(const Batch& batch, int64_t index);
  /// Drops the gradients of the only optimizer, for a new accumulation window.
  void drop_gradients();
  /// Adds the gradients of `loss`. With detect_anomaly an error says in which batch.
  void backward(const at::Tensor& loss) override;
  /// Makes a step with them, which counts; clips them before, unless the module optimises manually.
  void step(int64_t optimizer) override;

  /// Whether the module lets only some parameters take gradients now, with toggle().
  bool toggles() const { return !toggled_off_.empty(); }

  /// The same for a trial: with the module's hooks, but without events, and without counting steps.
  TrialGround trial_ground(const DataLoader& loader);

 private:
  int64_t optimizers() const override { return static_cast<int64_t>(training_.optimizers()); }
  torch::optim::Optimizer& optimizer(int64_t optimizer) override;
  void zero_grad(int64_t optimizer) override { training_.zero_grad(static_cast<size_t>(optimizer)); }
  void toggle(int64_t optimizer) override;
  void untoggle() override;
  void advance_schedule(int64_t optimizer) override { training_.advance_schedule(static_cast<size_t>(optimizer)); }

  void run_backward(const at::Tensor& loss);

  Training& training_;
  Module& module_;
  const TrainerOptions& options_;
  EventEmitter& emitter_;
  ModuleContext& context_;
  std::vector<at::Tensor> toggled_off_;  // Parameters that toggle() keeps from taking a gradient.
};

/// Throws ConfigError for options that are for automatic optimisation, where the module optimises manually.
void require_options_for(const Training& training, const TrainerOptions& options);

}  // namespace troupe
