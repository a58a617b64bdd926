#include "troupe/callbacks/common/read_scalars.h"

#include <torch/torch.h>

#include <map>
#include <string>

namespace troupe {

std::vector<double> read_scalars(const std::vector<at::Tensor>& scalars) {
  std::map<std::string, std::vector<size_t>> by_device;
  for (size_t i = 0; i < scalars.size(); ++i) {
    by_device[scalars[i].device().str()].push_back(i);
  }
  const torch::NoGradGuard no_grad;
  std::vector<double> values(scalars.size());
  for (const auto& [device, indices] : by_device) {
    std::vector<at::Tensor> there;
    for (const size_t index : indices) {
      there.push_back(scalars[index].reshape({}).to(at::kDouble));
    }
    const at::Tensor here = torch::stack(there).to(at::kCPU);
    for (size_t i = 0; i < indices.size(); ++i) {
      values[indices[i]] = here.data_ptr<double>()[i];
    }
  }
  return values;
}

}  // namespace troupe
