#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "troupe/runtime/loop/live.h"

namespace troupe {

/// A parameter that an optimizer step is about to change. The tensors are the module's own.
struct StepGradient {
  std::string name;  ///< As in named_parameters().
  at::Tensor parameter;
  at::Tensor gradient;
};

/// The parameters that the optimizer of this index holds and that have a gradient, in registration order: at
/// OptimizerStepStarted what its step will use.
std::vector<StepGradient> step_gradients(Live& live, uint32_t optimizer);

/// The submodule that a parameter belongs to: its name up to the last dot; without a dot the name itself.
std::string layer_of(const std::string& parameter);

/// The elements that a gradient has: of a sparse one those that are stored.
at::Tensor stored_elements(const at::Tensor& gradient);

}  // namespace troupe
