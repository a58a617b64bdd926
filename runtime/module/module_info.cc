#include "troupe/runtime/module/module_info.h"

#include <torch/torch.h>

#include <algorithm>

#include "troupe/runtime/callback/callback.h"

namespace troupe {
namespace {

std::string class_name(const torch::nn::Module& module) {
  const std::string full = readable_type_name(typeid(module));
  std::string name = full.substr(full.rfind(':') == std::string::npos ? 0 : full.rfind(':') + 1);
  constexpr std::string_view kSuffix = "Impl";
  if (name.size() > kSuffix.size() && name.ends_with(kSuffix)) {
    name.resize(name.size() - kSuffix.size());  // LibTorch's holders hide it.
  }
  return name;
}

v1::ModuleInfo info_of(const std::string& name, const torch::nn::Module& module) {
  v1::ModuleInfo info;
  info.set_name(name);
  info.set_type(class_name(module));
  info.set_depth(name.empty() ? 0 : static_cast<uint32_t>(std::count(name.begin(), name.end(), '.')) + 1);
  uint64_t parameters = 0;
  uint64_t trainable = 0;
  uint64_t bytes = 0;
  for (const auto& parameter : module.parameters()) {
    const auto count = static_cast<uint64_t>(parameter.numel());
    parameters += count;
    trainable += parameter.requires_grad() ? count : 0;
    bytes += count * parameter.element_size();
  }
  info.set_parameters(parameters);
  info.set_trainable_parameters(trainable);
  info.set_bytes(bytes);
  info.set_training(module.is_training());
  return info;
}

}  // namespace

std::vector<v1::ModuleInfo> module_infos(const torch::nn::Module& module) {
  std::vector<v1::ModuleInfo> infos = {info_of("", module)};
  for (const auto& child : module.named_modules(/*name_prefix=*/{}, /*include_self=*/false)) {
    infos.push_back(info_of(child.key(), *child.value()));
  }
  return infos;
}

}  // namespace troupe
