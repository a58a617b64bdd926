#include "troupe/callbacks/common/step_gradients.h"

#include <torch/torch.h>

#include <set>

namespace troupe {

std::vector<StepGradient> step_gradients(Live& live, uint32_t optimizer) {
  std::set<const c10::TensorImpl*> held;
  for (const auto& group : live.optimizers().at(optimizer).get().param_groups()) {
    for (const auto& parameter : group.params()) {
      held.insert(parameter.unsafeGetTensorImpl());
    }
  }
  std::vector<StepGradient> found;
  for (const auto& named : live.module().named_parameters()) {
    const at::Tensor& parameter = named.value();
    if (parameter.grad().defined() && held.contains(parameter.unsafeGetTensorImpl())) {
      found.push_back({named.key(), parameter, parameter.grad()});
    }
  }
  return found;
}

std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

at::Tensor stored_elements(const at::Tensor& gradient) {
  return gradient.is_sparse() ? gradient.coalesce().values() : gradient;
}

}  // namespace troupe
