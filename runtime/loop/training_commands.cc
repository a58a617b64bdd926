// What commands change in a training: rates, momentum, which parameters take gradients.
#include <torch/torch.h>

#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/module/optimizer_state.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/options/parameter_name.h"

namespace troupe {

using torch::optim::OptimizerParamGroup;

namespace {

bool names_any(const v1::SetFrozen& command, const std::string& parameter) {
  return std::any_of(command.parameters().begin(), command.parameters().end(),
                     [&](const auto& given) { return names_parameter(given, parameter); });
}

/// Every name that SetFrozen takes: the parameters, and the submodules above them.
std::vector<std::string> freezable_names(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& parameter : module.named_parameters()) {
    const std::string& name = parameter.key();
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      if (std::find(names.begin(), names.end(), name.substr(0, dot)) == names.end()) {
        names.push_back(name.substr(0, dot));
      }
    }
    names.push_back(name);
  }
  return names;
}

}  // namespace

std::vector<std::reference_wrapper<torch::optim::Optimizer>> Training::all_optimizers() {
  std::vector<std::reference_wrapper<torch::optim::Optimizer>> all;
  for (auto& slot : optimizers_) {
    all.emplace_back(*slot.config.optimizer);
  }
  return all;
}

bool Training::has_group(const std::string& group) {
  return for_each_group(group, [](Slot&, size_t, OptimizerParamGroup&) {});
}

bool Training::set_learning_rate(double lr, const std::string& group) {
  // The command's event has told this rate. The next one is told even if it is what was emitted before the command.
  loop_.clear_emitted_learning_rates();
  return for_each_group(group, [&](Slot& slot, size_t index, OptimizerParamGroup&) { slot.set_lr(lr, index); });
}

void Training::Slot::set_lr(double lr, size_t index) {
  config.optimizer->param_groups()[index].options().set_lr(lr);
  double reference = scheduled_lr(index);
  if (reference == 0 && base_lrs[index] == 0) {
    base_lrs[index] = lr;
    reference = scheduled_lr(index);
  }
  reference = reference == 0 ? base_lrs[index] : reference;
  lr_factors[index] = reference == 0 ? 1.0 : lr / reference;
}

std::string Training::momentum_refusal(double momentum, const std::string& group) {
  if (!(momentum >= 0 && momentum < 1)) {
    return "a momentum must be in [0, 1), got " + std::to_string(momentum);
  }
  std::string reason;
  for_each_group(group, [&](Slot& slot, size_t, OptimizerParamGroup& target) {
    if (!has_momentum(target)) {
      reason = optimizer_type(*slot.config.optimizer) + " has neither a momentum nor betas";
    } else if (momentum == 0 && is_nesterov(target)) {
      reason = "Nesterov momentum must be above 0";
    }
  });
  return reason;
}

void Training::set_momentum(double momentum, const std::string& group) {
  for_each_group(group, [&](Slot& slot, size_t index, OptimizerParamGroup& target) {
    set_momentum_of(*slot.config.optimizer, target, momentum);
    slot.momentum_commanded[index] = slot.cycles_momentum();
  });
}

void Training::set_frozen(const v1::SetFrozen& command) {
  for (auto& parameter : module_.named_parameters()) {
    if (!names_any(command, parameter.key()) || !parameter.value().is_floating_point()) {
      continue;
    }
    parameter.value().set_requires_grad(!command.frozen());
    if (command.frozen()) {
      parameter.value().mutable_grad().reset();
    }
  }
}

std::string Training::frozen_refusal(const v1::SetFrozen& command) const {
  if (command.parameters().empty()) {
    return "names no parameter";
  }
  const auto names = freezable_names(module_);
  for (const auto& given : command.parameters()) {
    if (std::find(names.begin(), names.end(), given) == names.end()) {
      return "no parameter '" + given + "', and none below it" + nearest(given, names);
    }
  }
  const auto parameters = module_.named_parameters();
  const bool any_left = std::any_of(parameters.begin(), parameters.end(), [&](const auto& parameter) {
    return parameter.value().requires_grad() && !names_any(command, parameter.key());
  });
  return command.frozen() && !any_left ? "it would leave no parameter to train" : std::string();
}

}  // namespace troupe
