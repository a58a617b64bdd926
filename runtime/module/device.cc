#include "troupe/runtime/module/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>

#include <algorithm>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

int64_t cuda_devices() {
  return static_cast<int64_t>(torch::cuda::device_count());
}

std::string known_devices() {
  std::string text = "cpu";
  for (int64_t i = 0; i < cuda_devices(); ++i) {
    text += ", cuda:" + std::to_string(i);
  }
  return text;
}

[[noreturn]] void throw_no_device(const std::string& name) {
  throw ConfigError("'device' is \"" + name + "\"; there is " + known_devices() +
                    (torch::cuda::is_available() ? "" : " (this LibTorch sees no CUDA device)"));
}

/// Calls visit(tensor) for parameters, then buffers, until it returns true.
template <class Visit>
void visit_tensors(const torch::nn::Module& module, const Visit& visit) {
  for (const auto& tensors : {module.parameters(), module.buffers()}) {
    for (const auto& tensor : tensors) {
      if (tensor.defined() && visit(tensor)) {
        return;
      }
    }
  }
}

}  // namespace

at::Device find_device(const std::string& name) {
  at::Device device = at::kCPU;
  try {
    device = at::Device(name);
  } catch (const c10::Error&) {
    throw_no_device(name);
  }
  if (device.is_cpu() && (!device.has_index() || device.index() == 0)) {
    return at::kCPU;
  }
  if (!device.is_cuda() || cuda_devices() == 0 || device.index() >= cuda_devices()) {
    throw_no_device(name);
  }
  return device.has_index() ? device : c10::impl::VirtualGuardImpl(at::kCUDA).getDevice();
}

at::Device device_of(const torch::nn::Module& module) {
  at::Device device = at::kCPU;
  visit_tensors(module, [&](const at::Tensor& tensor) {
    device = tensor.device();
    return true;
  });
  return device;
}

std::vector<at::Device> accelerators_of(const torch::nn::Module& module) {
  std::vector<at::Device> devices;
  visit_tensors(module, [&](const at::Tensor& tensor) {
    if (!tensor.is_cpu() && std::find(devices.begin(), devices.end(), tensor.device()) == devices.end()) {
      devices.push_back(tensor.device());
    }
    return false;
  });
  return devices;
}

}  // namespace troupe
