#include "troupe/runtime/module/snapshot.h"

#include <torch/torch.h>

#include <map>
#include <sstream>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/module/device.h"
#include "troupe/runtime/module/seed.h"
#include "troupe/runtime/module/tensor_copies.h"

namespace troupe {
namespace {

constexpr char kGradientPrefix[] = "gradient.";
constexpr char kRngPrefix[] = "rng.";

/// Devices with a default generator that the module draws from.
std::vector<at::Device> drawing_devices(const torch::nn::Module& module) {
  std::vector<at::Device> devices{at::kCPU};
  for (const at::Device device : accelerators_of(module)) {
    if (device.is_cuda()) {
      devices.push_back(device);
    }
  }
  return devices;
}

std::string describe_tensor(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes() << ' ' << tensor.dtype();
  return text.str();
}

/// "a, b, c and 4 more"
std::string join(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

void require_match(const std::vector<NamedTensor>& wanted, const std::vector<NamedTensor>& given) {
  std::map<std::string, const at::Tensor*> by_name;
  for (const auto& named : given) {
    if (named.name.starts_with(kModulePrefix)) {
      by_name[named.name] = &named.tensor;
    }
  }
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
  for (const auto& named : wanted) {
    const std::string name = named.name.substr(sizeof(kModulePrefix) - 1);
    const auto found = by_name.find(named.name);
    if (found == by_name.end()) {
      missing.push_back(name);
      continue;
    }
    const at::Tensor& tensor = *found->second;
    if (tensor.sizes() != named.tensor.sizes() || tensor.scalar_type() != named.tensor.scalar_type()) {
      mismatched.push_back(name + " (checkpoint " + describe_tensor(tensor) + ", model " +
                           describe_tensor(named.tensor) + ")");
    }
    by_name.erase(found);
  }
  std::vector<std::string> unexpected;
  for (const auto& [name, tensor] : by_name) {
    unexpected.push_back(name.substr(sizeof(kModulePrefix) - 1));
  }
  if (missing.empty() && unexpected.empty() && mismatched.empty()) {
    return;
  }
  std::string message = "the checkpoint is of another model:";
  message += missing.empty() ? "" : " missing in it: " + join(missing) + ";";
  message += unexpected.empty() ? "" : " not in the model: " + join(unexpected) + ";";
  message += mismatched.empty() ? "" : " of another shape: " + join(mismatched) + ";";
  message.pop_back();
  throw MismatchError(message);
}

}  // namespace

std::vector<NamedTensor> named_state(const torch::nn::Module& module) {
  std::vector<NamedTensor> named;
  for (const auto& parameter : module.named_parameters()) {
    named.push_back({kModulePrefix + parameter.key(), parameter.value()});
  }
  for (const auto& buffer : module.named_buffers()) {
    if (buffer.value().defined()) {
      named.push_back({kModulePrefix + buffer.key(), buffer.value()});
    }
  }
  return named;
}

const at::Tensor* find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const auto& named : tensors) {
    if (named.name == name) {
      return &named.tensor;
    }
  }
  return nullptr;
}

void capture_module(const torch::nn::Module& module, TensorCopies& copies) {
  for (const auto& named : named_state(module)) {
    copies.add(named.name, named.tensor);
  }
}

void require_matching_module(const torch::nn::Module& module, const std::vector<NamedTensor>& tensors) {
  require_match(named_state(module), tensors);
}

void restore_module(torch::nn::Module& module, const std::vector<NamedTensor>& tensors) {
  const auto wanted = named_state(module);
  require_match(wanted, tensors);
  std::map<std::string, const at::Tensor*> by_name;
  for (const auto& named : tensors) {
    by_name[named.name] = &named.tensor;
  }
  const torch::NoGradGuard no_grad;
  for (const auto& named : wanted) {
    at::Tensor target = named.tensor;
    target.copy_(*by_name.at(named.name));
  }
}

void capture_gradients(const torch::nn::Module& module, TensorCopies& copies) {
  for (const auto& parameter : module.named_parameters()) {
    if (parameter.value().grad().defined()) {
      copies.add(kGradientPrefix + parameter.key(), parameter.value().grad());
    }
  }
}

void restore_gradients(torch::nn::Module& module, const std::vector<NamedTensor>& tensors) {
  for (auto& parameter : module.named_parameters()) {
    const auto* gradient = find_tensor(tensors, kGradientPrefix + parameter.key());
    parameter.value().mutable_grad() =
        gradient == nullptr ? at::Tensor()
                            : gradient->to(parameter.value().device(), gradient->scalar_type(), false, true);
  }
}

std::vector<NamedTensor> rng_states(const torch::nn::Module& module) {
  std::vector<NamedTensor> states;
  for (const at::Device device : drawing_devices(module)) {
    states.push_back({kRngPrefix + device.str(), default_rng_state(device)});
  }
  return states;
}

void restore_rng(const torch::nn::Module& module, const std::vector<NamedTensor>& states, const std::string& prefix) {
  for (const at::Device device : drawing_devices(module)) {
    const std::string name = prefix + device.str();
    const auto* state = find_tensor(states, name);
    if (state != nullptr) {
      set_default_rng_state(*state, device);
    } else if (device.is_cpu()) {
      throw MismatchError("the checkpoint holds no random generator state ('" + name + "'): it cannot continue a run");
    }
  }
}

}  // namespace troupe
