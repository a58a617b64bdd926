#pragma once

#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include <cstdint>

namespace troupe {

/// The loop's side of manual optimisation; not for users. `optimizer` is an index into configure_optimizers().
class ManualOptimization {
 public:
  virtual ~ManualOptimization() = default;
  virtual int64_t optimizers() const = 0;
  virtual torch::optim::Optimizer& optimizer(int64_t optimizer) = 0;
  virtual void backward(const at::Tensor& loss) = 0;
  virtual void step(int64_t optimizer) = 0;
  virtual void zero_grad(int64_t optimizer) = 0;
  virtual void toggle(int64_t optimizer) = 0;
  virtual void untoggle() = 0;
  virtual void advance_schedule(int64_t optimizer) = 0;
};

/// One of a module's optimizers, for manual optimisation: `optimizer(0)` gives it inside training_step. A light handle,
/// valid as long as that step.
class ManualOptimizer {
 public:
  ManualOptimizer(ManualOptimization& loop, int64_t index) : loop_(loop), index_(index) {}

  /// Updates the parameters from their gradients. Counts as an optimizer step: global_step goes up by one.
  void step() { loop_.step(index_); }
  /// Drops the gradients of its parameters. No hook is called.
  void zero_grad() { loop_.zero_grad(index_); }
  /// Until untoggle(), or the end of the step, parameters that only other optimizers hold take no gradient.
  void toggle() { loop_.toggle(index_); }
  void untoggle() { loop_.untoggle(); }
  /// Advances its learning-rate schedule by one. No schedule is advanced otherwise.
  void advance_schedule() { loop_.advance_schedule(index_); }
  /// The optimizer itself. Do not call its step(): the run would not know of it.
  torch::optim::Optimizer& get() { return loop_.optimizer(index_); }

 private:
  ManualOptimization& loop_;
  int64_t index_;
};

}  // namespace troupe
