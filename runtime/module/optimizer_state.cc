#include "troupe/runtime/module/optimizer_state.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <tuple>
#include <typeinfo>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/module/tensor_copies.h"
#include "troupe/runtime/module/torch_version.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {
namespace {

using torch::optim::Optimizer;
using torch::optim::OptimizerParamGroup;
using torch::optim::OptimizerParamState;

/// Calls visit(name, reference) for every option of a group; false for a class that is not known.
template <class Visitor>
bool visit_options(torch::optim::OptimizerOptions& options, Visitor&& visit) {
  const auto visit_adam = [&](auto& adam) {
    visit("lr", adam.lr());
    visit("beta1", std::get<0>(adam.betas()));
    visit("beta2", std::get<1>(adam.betas()));
    visit("eps", adam.eps());
    visit("weight_decay", adam.weight_decay());
    visit("amsgrad", adam.amsgrad());
  };
  if (auto* adam = dynamic_cast<torch::optim::AdamOptions*>(&options)) {
    visit_adam(*adam);
  } else if (auto* adamw = dynamic_cast<torch::optim::AdamWOptions*>(&options)) {
    visit_adam(*adamw);
  } else if (auto* sgd = dynamic_cast<torch::optim::SGDOptions*>(&options)) {
    visit("lr", sgd->lr());
    visit("momentum", sgd->momentum());
    visit("dampening", sgd->dampening());
    visit("weight_decay", sgd->weight_decay());
    visit("nesterov", sgd->nesterov());
  } else if (auto* rmsprop = dynamic_cast<torch::optim::RMSpropOptions*>(&options)) {
    visit("lr", rmsprop->lr());
    visit("alpha", rmsprop->alpha());
    visit("eps", rmsprop->eps());
    visit("weight_decay", rmsprop->weight_decay());
    visit("momentum", rmsprop->momentum());
    visit("centered", rmsprop->centered());
  } else if (auto* adagrad = dynamic_cast<torch::optim::AdagradOptions*>(&options)) {
    visit("lr", adagrad->lr());
    visit("lr_decay", adagrad->lr_decay());
    visit("weight_decay", adagrad->weight_decay());
    visit("initial_accumulator_value", adagrad->initial_accumulator_value());
    visit("eps", adagrad->eps());
  } else {
    return false;
  }
  return true;
}

/// Calls visit(name, tensor or step reference) for every field of a parameter's state.
template <class Visitor>
void visit_state(OptimizerParamState& state, Visitor&& visit) {
  const auto visit_adam = [&](auto& adam) {
    visit("step", adam.step());
    visit("exp_avg", adam.exp_avg());
    visit("exp_avg_sq", adam.exp_avg_sq());
    visit("max_exp_avg_sq", adam.max_exp_avg_sq());
  };
  if (auto* adam = dynamic_cast<torch::optim::AdamParamState*>(&state)) {
    visit_adam(*adam);
  } else if (auto* adamw = dynamic_cast<torch::optim::AdamWParamState*>(&state)) {
    visit_adam(*adamw);
  } else if (auto* sgd = dynamic_cast<torch::optim::SGDParamState*>(&state)) {
    visit("momentum_buffer", sgd->momentum_buffer());
  } else if (auto* rmsprop = dynamic_cast<torch::optim::RMSpropParamState*>(&state)) {
    visit("step", rmsprop->step());
    visit("square_avg", rmsprop->square_avg());
    visit("momentum_buffer", rmsprop->momentum_buffer());
    visit("grad_avg", rmsprop->grad_avg());
  } else if (auto* adagrad = dynamic_cast<torch::optim::AdagradParamState*>(&state)) {
    visit("step", adagrad->step());
    visit("sum", adagrad->sum());
  }
}

std::unique_ptr<OptimizerParamState> make_state(const std::string& type) {
  if (type == "Adam") {
    return std::make_unique<torch::optim::AdamParamState>();
  }
  if (type == "AdamW") {
    return std::make_unique<torch::optim::AdamWParamState>();
  }
  if (type == "SGD") {
    return std::make_unique<torch::optim::SGDParamState>();
  }
  if (type == "RMSprop") {
    return std::make_unique<torch::optim::RMSpropParamState>();
  }
  return std::make_unique<torch::optim::AdagradParamState>();
}

std::string tensor_prefix(int index, const std::string& parameter) {
  return "optimizer." + std::to_string(index) + "." + parameter + ".";
}

std::map<const c10::TensorImpl*, std::string> names_of(const torch::nn::Module& module) {
  std::map<const c10::TensorImpl*, std::string> names;
  for (const auto& parameter : module.named_parameters()) {
    names[parameter.value().unsafeGetTensorImpl()] = parameter.key();
  }
  return names;
}

std::vector<std::string> group_names(OptimizerParamGroup& group,
                                     const std::map<const c10::TensorImpl*, std::string>& names) {
  std::vector<std::string> result;
  for (const auto& parameter : group.params()) {
    const auto found = names.find(parameter.unsafeGetTensorImpl());
    if (found == names.end()) {
      throw ConfigError(
          "the optimizer holds a parameter that is not registered with the module: a checkpoint cannot name it");
    }
    result.push_back(found->second);
  }
  return result;
}

struct OptionSaver {
  StateDict& dict;
  void operator()(const char* name, double value) { dict.set(name, value); }
  void operator()(const char* name, bool value) { dict.set(name, value); }
};

struct OptionLoader {
  const StateDict& dict;
  void operator()(const char* name, double& value) { value = dict.get_double(name); }
  void operator()(const char* name, bool& value) { value = dict.get_bool(name); }
};

struct StateSaver {
  StateDict& scalars;
  TensorCopies& copies;
  const std::string& prefix;
  void operator()(const char* name, int64_t value) { scalars.set(name, value); }
  void operator()(const char* name, const at::Tensor& tensor) {
    if (tensor.defined()) {
      copies.add(prefix + name, tensor);
    }
  }
};

struct StateLoader {
  at::Device device;
  const StateDict& scalars;
  const std::map<std::string, const at::Tensor*>& tensors;
  const std::string& prefix;
  void operator()(const char* name, int64_t& value) { value = scalars.get_int(name); }
  void operator()(const char* name, at::Tensor& tensor) {
    const auto found = tensors.find(prefix + name);
    if (found != tensors.end()) {
      tensor = found->second->to(device, found->second->scalar_type(), /*non_blocking=*/false, /*copy=*/true);
    }
  }
};

double option_of(OptimizerParamGroup& group, const std::vector<std::string>& wanted) {
  double result = 0;
  visit_options(group.options(), [&](const char* name, auto& value) {
    for (const auto& candidate : wanted) {
      result = candidate == name ? static_cast<double>(value) : result;
    }
  });
  return result;
}

/// Names of the tensors in a parameter's state after a step with this group's options.
std::vector<std::string> state_tensors(const std::string& type, OptimizerParamGroup& group) {
  static const std::map<std::string, std::string> kOptional = {
      {"max_exp_avg_sq", "amsgrad"}, {"momentum_buffer", "momentum"}, {"grad_avg", "centered"}};
  std::vector<std::string> names;
  visit_state(*make_state(type), [&](const std::string& name, auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, at::Tensor>) {
      const auto option = kOptional.find(name);
      if (option == kOptional.end() || option_of(group, {option->second}) != 0) {
        names.push_back(name);
      }
    }
  });
  return names;
}

}  // namespace

std::string optimizer_type(const Optimizer& optimizer) {
  const std::string full = readable_type_name(typeid(optimizer));
  return full.substr(full.rfind(':') == std::string::npos ? 0 : full.rfind(':') + 1);
}

void require_known_optimizer(const Optimizer& optimizer) {
  const std::type_info& type = typeid(optimizer);
  const std::array known = {&typeid(torch::optim::Adam), &typeid(torch::optim::AdamW), &typeid(torch::optim::SGD),
                            &typeid(torch::optim::RMSprop), &typeid(torch::optim::Adagrad)};
  if (std::none_of(known.begin(), known.end(), [&](const std::type_info* each) { return *each == type; })) {
    throw ConfigError(
        "optimizer " + readable_type_name(type) +
        " cannot be trained with: its state cannot be kept; allowed are torch::optim::Adam, AdamW, SGD, " +
        "RMSprop and Adagrad");
  }
}

void require_named_parameters(Optimizer& optimizer, const torch::nn::Module& module) {
  const auto names = names_of(module);
  for (auto& group : optimizer.param_groups()) {
    group_names(group, names);
  }
}

double momentum_of(OptimizerParamGroup& group) {
  return option_of(group, {"momentum", "beta1"});
}

bool has_momentum(OptimizerParamGroup& group) {
  bool found = false;
  visit_options(group.options(), [&](const std::string& name, auto& /*value*/) {
    found = found || name == "momentum" || name == "beta1";
  });
  return found;
}

bool is_nesterov(OptimizerParamGroup& group) {
  return option_of(group, {"nesterov"}) != 0;
}

void set_momentum_of(Optimizer& optimizer, OptimizerParamGroup& group, double momentum) {
  visit_options(group.options(), [&](const std::string& name, auto& value) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(value)>, double>) {
      value = name == "momentum" || name == "beta1" ? momentum : value;
    }
  });
  for (const auto& parameter : group.params()) {
    const auto state = optimizer.state().find(optimizer_state_key(parameter));
    auto* rmsprop = state == optimizer.state().end()
                        ? nullptr
                        : dynamic_cast<torch::optim::RMSpropParamState*>(state->second.get());
    if (rmsprop != nullptr && momentum > 0 && !rmsprop->momentum_buffer().defined()) {
      rmsprop->momentum_buffer(torch::zeros_like(parameter, torch::MemoryFormat::Preserve));
    }
  }
}

double weight_decay_of(OptimizerParamGroup& group) {
  return option_of(group, {"weight_decay"});
}

v1::OptimizerState capture_optimizer(Optimizer& optimizer, const torch::nn::Module& module, int index,
                                     TensorCopies& copies) {
  v1::OptimizerState result;
  result.set_type(optimizer_type(optimizer));
  const auto names = names_of(module);
  for (auto& group : optimizer.param_groups()) {
    auto* saved = result.add_groups();
    StateDict options;
    visit_options(group.options(), OptionSaver{options});
    *saved->mutable_options() = options.proto();
    const auto parameters = group_names(group, names);
    for (size_t i = 0; i < parameters.size(); ++i) {
      saved->add_parameters(parameters[i]);
      const auto state = optimizer.state().find(optimizer_state_key(group.params()[i]));
      if (state == optimizer.state().end()) {
        continue;
      }
      StateDict scalars;
      const std::string prefix = tensor_prefix(index, parameters[i]);
      visit_state(*state->second, StateSaver{scalars, copies, prefix});
      auto* parameter = result.add_parameters();
      parameter->set_parameter(parameters[i]);
      *parameter->mutable_scalars() = scalars.proto();
    }
  }
  return result;
}

std::vector<NamedTensor> tensors_like_state(Optimizer& optimizer, const torch::nn::Module& module, int index) {
  std::vector<NamedTensor> like;
  const auto names = names_of(module);
  for (auto& group : optimizer.param_groups()) {
    const auto tensors = state_tensors(optimizer_type(optimizer), group);
    const auto parameters = group_names(group, names);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto& parameter = group.params()[i];
      if (!parameter.requires_grad()) {
        continue;
      }
      for (const auto& tensor : tensors) {
        like.push_back({tensor_prefix(index, parameters[i]) + tensor, parameter});
      }
    }
  }
  return like;
}

void require_matching_optimizer(Optimizer& optimizer, const torch::nn::Module& module,
                                const v1::OptimizerState& state) {
  const std::string type = optimizer_type(optimizer);
  if (type != state.type()) {
    throw MismatchError("the checkpoint's optimizer is " + state.type() + ", the module configures " + type);
  }
  auto& groups = optimizer.param_groups();
  if (static_cast<int>(groups.size()) != state.groups_size()) {
    throw MismatchError("the checkpoint's optimizer has " + std::to_string(state.groups_size()) +
                        " parameter groups, the module configures " + std::to_string(groups.size()));
  }
  const auto names = names_of(module);
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto present = group_names(groups[i], names);
    const auto& saved = state.groups(static_cast<int>(i)).parameters();
    if (!std::equal(present.begin(), present.end(), saved.begin(), saved.end())) {
      throw MismatchError(
          "parameter group " + std::to_string(i) + " of the checkpoint's optimizer holds other parameters than the " +
          "module's: " + std::to_string(saved.size()) + " there, " + std::to_string(present.size()) + " here");
    }
  }
}

void restore_optimizer(Optimizer& optimizer, const torch::nn::Module& module, int index,
                       const v1::OptimizerState& state, const std::vector<NamedTensor>& tensors) {
  require_matching_optimizer(optimizer, module, state);
  std::map<std::string, at::Tensor> parameters;
  for (const auto& parameter : module.named_parameters()) {
    parameters[parameter.key()] = parameter.value();
  }
  std::map<std::string, const at::Tensor*> by_name;
  for (const auto& named : tensors) {
    by_name[named.name] = &named.tensor;
  }
  for (size_t i = 0; i < optimizer.param_groups().size(); ++i) {
    const StateDict options(state.groups(static_cast<int>(i)).options());
    visit_options(optimizer.param_groups()[i].options(), OptionLoader{options});
  }
  optimizer.state().clear();
  for (const auto& saved : state.parameters()) {
    const at::Tensor& parameter = parameters.at(saved.parameter());
    auto restored = make_state(state.type());
    const StateDict scalars(saved.scalars());
    const std::string prefix = tensor_prefix(index, saved.parameter());
    visit_state(*restored, StateLoader{parameter.device(), scalars, by_name, prefix});
    optimizer.state()[optimizer_state_key(parameter)] = std::move(restored);
  }
}

}  // namespace troupe
