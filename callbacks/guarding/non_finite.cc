#include "troupe/callbacks/guarding/non_finite.h"

#include <torch/torch.h>

#include <cmath>

#include "troupe/callbacks/common/read_scalars.h"
#include "troupe/callbacks/common/step_gradients.h"

namespace troupe {

std::vector<std::string> non_finite_names(const NamedTensors& tensors) {
  const torch::NoGradGuard no_grad;
  std::vector<const std::string*> names;
  std::vector<at::Tensor> elements;
  std::vector<at::Tensor> sums;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.is_floating_point()) {
      names.push_back(&name);
      elements.push_back(stored_elements(tensor));
      sums.push_back(elements.back().sum(at::kDouble));  // Of finite elements it is finite, as a rule.
    }
  }
  const std::vector<double> values = read_scalars(sums);
  std::vector<std::string> found;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) && !elements[i].isfinite().all().item<bool>()) {
      found.push_back(*names[i]);
    }
  }
  return found;
}

}  // namespace troupe
