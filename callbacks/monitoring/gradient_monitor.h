#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct GradientMonitorOptions {
  int64_t every_n_steps = 50;    ///< Optimizer steps between two that are looked at.
  bool log_update_ratio = true;  ///< Needs a copy of the parameters at those steps.
  bool log_zeros = true;

  void describe(OptionVisitor& visit);
};

/// Logs what gradients are like at every `every_n_steps`-th optimizer step, before they are clipped, for each layer: a
/// submodule that has parameters itself.
///
///   grad_norm/<layer>     2-norm of its parameters' gradients; grad_norm_total is that of all
///   grad_zeros/<layer>    share of the elements of these gradients that are exactly 0
///   update_ratio/<layer>  2-norm of what the step changed, over the 2-norm of the parameters before it; 0 where both
///                         are 0
///
/// Layers whose parameters have no gradient are left out. What is measured stays on the module's device until the step
/// has been made, and then comes in one copy. Sums are of doubles. With manual optimisation a step counts whichever
/// optimizer makes it, and the layers are those of the optimizers whose steps are looked at.
class GradientMonitor {
 public:
  /// Throws ConfigError when `every_n_steps` is below 1.
  explicit GradientMonitor(GradientMonitorOptions options = {});

  void on(const SetUp& /*event*/) { measured_.clear(); }  // A run before may have failed within a step.
  void on(const OptimizerStepStarted& event, Live& live);
  void on(const TrainBatchEnded& event, Live& live);
  std::vector<AskWhen> ask_when() const;

 private:
  /// One parameter at a step that is being made. Scalars have one element, on the parameter's device.
  struct Measured {
    std::string layer;
    int64_t elements = 0;
    at::Tensor gradient_norm;
    at::Tensor non_zeros;  ///< Their number.
    at::Tensor parameter;
    at::Tensor before;  ///< A copy of it; undefined where nobody wants to know.
  };
  struct LayerSums;

  std::vector<at::Tensor> scalars() const;
  std::vector<LayerSums> sum_by_layer() const;

  GradientMonitorOptions options_;
  std::vector<Measured> measured_;   // Of the batch that is being trained.
  uint64_t steps_before_batch_ = 0;  // When they were measured.
};

}  // namespace troupe
