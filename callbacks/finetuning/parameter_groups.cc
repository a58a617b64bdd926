#include "troupe/callbacks/finetuning/parameter_groups.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>
#include <set>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/options/options.h"

namespace troupe {
namespace {

bool is_below(const std::string& name, const std::string& submodule) {
  return name.size() > submodule.size() && name.starts_with(submodule) && name[submodule.size()] == '.';
}

bool is_batch_norm(const torch::nn::Module& module) {
  return module.as<torch::nn::BatchNorm1d>() != nullptr || module.as<torch::nn::BatchNorm2d>() != nullptr ||
         module.as<torch::nn::BatchNorm3d>() != nullptr;
}

std::set<const c10::TensorImpl*> parameters_below(const torch::nn::Module& module, const std::string& submodule) {
  std::set<const c10::TensorImpl*> below;
  for (const auto& parameter : module.named_parameters()) {
    if (is_below(parameter.key(), submodule)) {
      below.insert(parameter.value().unsafeGetTensorImpl());
    }
  }
  return below;
}

[[noreturn]] void refuse_submodule(const torch::nn::Module& module, const std::string& submodule) {
  std::vector<std::string> names;
  for (const auto& child : module.named_modules({}, /*include_self=*/false)) {
    if (!child.value()->parameters().empty()) {
      names.push_back(child.key());
    }
  }
  throw ConfigError("the module has no submodule '" + submodule + "' with parameters" + suggest(submodule, names));
}

}  // namespace

std::vector<torch::optim::OptimizerParamGroup> split_parameter_groups(const torch::nn::Module& module,
                                                                      const std::string& submodule) {
  std::vector<at::Tensor> below;
  std::vector<at::Tensor> others;
  for (const auto& parameter : module.named_parameters()) {
    (is_below(parameter.key(), submodule) ? below : others).push_back(parameter.value());
  }
  if (below.empty()) {
    refuse_submodule(module, submodule);
  }
  if (others.empty()) {
    throw ConfigError("every parameter of the module is below '" + submodule + "': there is nothing to split");
  }
  return {torch::optim::OptimizerParamGroup(others), torch::optim::OptimizerParamGroup(below)};
}

SubmoduleGroups find_submodule_groups(const torch::nn::Module& module, const std::string& submodule,
                                      const std::vector<std::reference_wrapper<torch::optim::Optimizer>>& optimizers) {
  const auto parameters = parameters_below(module, submodule);
  SubmoduleGroups groups;
  std::optional<size_t> first_other;
  size_t index = 0;
  for (torch::optim::Optimizer& optimizer : optimizers) {
    for (const auto& group : optimizer.param_groups()) {
      const auto& held = group.params();
      const auto count = static_cast<size_t>(std::count_if(held.begin(), held.end(), [&](const at::Tensor& parameter) {
        return parameters.contains(parameter.unsafeGetTensorImpl());
      }));
      if (count > 0 && count < held.size()) {
        throw ConfigError("parameter group " + std::to_string(index) + " holds parameters of '" + submodule +
                          "' and others: give those of '" + submodule +
                          "' a group of their own in configure_optimizers (split_parameter_groups)");
      }
      if (count > 0) {
        groups.below.push_back(index);
      } else if (!first_other) {
        first_other = index;
      }
      ++index;
    }
  }
  if (groups.below.empty() || !first_other) {
    throw ConfigError(groups.below.empty() ? "no optimizer holds the parameters of '" + submodule + "'"
                                           : "the optimizers hold no parameters but those of '" + submodule + "'");
  }
  groups.first_other = *first_other;
  return groups;
}

SubmoduleParameters find_submodule_parameters(const torch::nn::Module& module, const std::string& submodule) {
  SubmoduleParameters found;
  std::set<const c10::TensorImpl*> of_batch_norm;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (is_batch_norm(*child)) {
      for (const auto& parameter : child->parameters(/*recurse=*/false)) {
        of_batch_norm.insert(parameter.unsafeGetTensorImpl());
      }
    }
  }
  for (const auto& parameter : module.named_parameters()) {
    if (is_below(parameter.key(), submodule)) {
      const bool normalises = of_batch_norm.contains(parameter.value().unsafeGetTensorImpl());
      (normalises ? found.batch_norm : found.others).push_back(parameter.key());
    }
  }
  if (found.batch_norm.empty() && found.others.empty()) {
    refuse_submodule(module, submodule);
  }
  return found;
}

void set_batch_norm_training(torch::nn::Module& module, const std::string& submodule, bool training) {
  for (const auto& child : module.named_modules({}, /*include_self=*/false)) {
    if ((child.key() == submodule || is_below(child.key(), submodule)) && is_batch_norm(*child.value())) {
      child.value()->train(training);
    }
  }
}

}  // namespace troupe
