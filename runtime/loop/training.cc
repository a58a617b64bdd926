#include "troupe/runtime/loop/training.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/loop/evaluation_loop.h"
#include "troupe/runtime/module/optimizer_state.h"
#include "troupe/runtime/module/seed.h"
#include "troupe/runtime/module/shadow_memory.h"
#include "troupe/runtime/module/tensor_bytes.h"
#include "troupe/runtime/module/tensor_copies.h"

namespace troupe {
namespace {

// The CPU's has the name without the device: the format knew no other one at first.
constexpr char kCpuRngBeforeSanityCheck[] = "rng.before_sanity_check";
constexpr char kRngBeforeSanityCheckPrefix[] = "rng.before_sanity_check.";

std::string name_before_sanity_check(const std::string& name) {
  const std::string device = name.substr(name.find('.') + 1);
  return device == "cpu" ? kCpuRngBeforeSanityCheck : kRngBeforeSanityCheckPrefix + device;
}

void check_config(const OptimizerConfig& config, bool automatic) {
  if (config.optimizer == nullptr) {
    throw ConfigError("configure_optimizers: gave a config without an optimizer");
  }
  require_known_optimizer(*config.optimizer);
  if (!is_utf8(config.name)) {
    throw ConfigError("configure_optimizers: the name '" + printable(config.name) + "' is not UTF-8");
  }
  if (config.frequency < 1) {
    throw ConfigError("configure_optimizers: frequency must be at least 1, got " + std::to_string(config.frequency));
  }
  if (config.lr_schedule && config.lr_schedule->cycles_momentum()) {
    for (auto& group : config.optimizer->param_groups()) {
      if (!has_momentum(group)) {
        throw ConfigError("configure_optimizers: the schedule " + config.lr_schedule->name() +
                          " cycles the momentum, but " + optimizer_type(*config.optimizer) +
                          " has neither a momentum nor betas: set cycle_momentum = false");
      }
    }
  }
  if (config.plateau && !automatic) {
    throw ConfigError(
        "configure_optimizers: a plateau is for automatic optimisation, but the module optimises manually: leave it "
        "out, and set the rate in training_step or by command");
  }
}

std::vector<std::string> frozen_parameters(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& parameter : module.named_parameters()) {
    if (!parameter.value().requires_grad()) {
      names.push_back(parameter.key());
    }
  }
  return names;
}

void set_frozen_parameters(torch::nn::Module& module, const google::protobuf::RepeatedPtrField<std::string>& frozen) {
  for (auto& parameter : module.named_parameters()) {
    const bool is_frozen = std::find(frozen.begin(), frozen.end(), parameter.key()) != frozen.end();
    parameter.value().set_requires_grad(!is_frozen);
  }
}

}  // namespace

std::vector<Training::Slot> Training::take_optimizers(Module& module) {
  auto configs = module.configure_optimizers();
  const bool automatic = module.automatic_optimization();
  if (configs.empty() || (automatic && configs.size() != 1)) {
    throw ConfigError("configure_optimizers: gave " + std::to_string(configs.size()) +
                      " optimizers; automatic optimisation takes exactly one; for several, override "
                      "automatic_optimization to be false and step them in training_step");
  }
  std::vector<Slot> slots;
  std::map<std::string, int> uses;
  for (auto& config : configs) {
    check_config(config, automatic);
    std::string name = config.name.empty() ? optimizer_type(*config.optimizer) : config.name;
    if (const int earlier = uses[name]++; earlier > 0) {
      name.append("-").append(std::to_string(earlier));
    }
    slots.push_back({std::move(config), std::move(name)});
  }
  return slots;
}

Training::Training(Module& module, uint64_t seed)
    : module_(module), automatic_(module.automatic_optimization()), optimizers_(take_optimizers(module)), seed_(seed) {
  require_storable(module_);
  for (auto& slot : optimizers_) {
    for (auto& group : slot.config.optimizer->param_groups()) {
      slot.base_lrs.push_back(group.options().get_lr());
    }
    slot.lr_factors.assign(slot.base_lrs.size(), 1.0);
    slot.momentum_commanded.assign(slot.base_lrs.size(), false);
    if (slot.config.plateau) {
      slot.plateau.emplace(*slot.config.plateau);
    }
    slot.apply_schedule();
    require_named_parameters(*slot.config.optimizer, module_);
  }
}

void Training::zero_grad(size_t index) {
  for (auto& group : optimizer(index).param_groups()) {
    for (auto& parameter : group.params()) {
      parameter.mutable_grad().reset();
    }
  }
}

void Training::optimizer_step(size_t index) {
  module_.optimizer_step(optimizer(index));
  auto& slot = optimizers_[index];
  if (automatic_ && slot.counts(OptimizerConfig::Interval::kStep)) {
    count_unit(slot);
  }
}

std::string Training::Slot::group_name(size_t index) const {
  std::string text = "lr-" + name;
  if (config.optimizer->param_groups().size() > 1) {
    text += "/pg" + std::to_string(index + 1);
  }
  return text;
}

std::vector<v1::ParamGroup> Training::param_groups() {
  std::vector<v1::ParamGroup> result;
  for_each_group([&](const Slot& slot, size_t index, torch::optim::OptimizerParamGroup& group) {
    auto& fact = result.emplace_back();
    fact.set_name(slot.group_name(index));
    fact.set_lr(group.options().get_lr());
    fact.set_momentum(momentum_of(group));
    fact.set_weight_decay(weight_decay_of(group));
  });
  return result;
}

std::vector<std::string> Training::modules_not_training() const {
  return modes_before_evaluation_ ? *modes_before_evaluation_ : modules_in_eval_mode(module_);
}

std::shared_ptr<ShadowMemory> Training::prepare_shadows() {
  auto like = named_state(module_);
  for (size_t index = 0; index < optimizers_.size(); ++index) {
    for (auto& named : tensors_like_state(optimizer(index), module_, static_cast<int>(index))) {
      like.push_back(std::move(named));
    }
  }
  std::array<std::shared_ptr<Snapshot>, SnapshotPool::kShadows> shadows;
  for (auto& shadow : shadows) {
    shadow = shadows_.lend();
  }
  return reserve_shadows(shadows, like);
}

std::shared_ptr<Snapshot> Training::capture(bool weights_only) {
  auto snapshot = shadows_.lend();
  auto& state = snapshot->state;
  state.Clear();
  StateDict module_state;  // Before the copies: what the hooks change or draw belongs to them.
  module_.on_save_checkpoint(module_state);
  *state.mutable_module_state() = std::move(module_state).proto();
  if (data_state_ && !weights_only) {
    *state.mutable_data_state() = data_state_().proto();
  }
  TensorCopies copies(*snapshot);
  capture_module(module_, copies);
  if (weights_only) {
    copies.finish();
    return snapshot;
  }
  for (size_t index = 0; index < optimizers_.size(); ++index) {
    const auto& slot = optimizers_[index];
    auto& saved = *state.add_optimizers();
    saved = capture_optimizer(optimizer(index), module_, static_cast<int>(index), copies);
    slot.save_rates(saved);
  }
  if (holds_gradients()) {
    capture_gradients(module_, copies);
  }
  copies.finish();
  for (const auto& generator : rng_states(module_)) {
    copies.add(generator.name, generator.tensor);
  }
  for (const auto& generator : rng_before_sanity_check_) {
    copies.add(name_before_sanity_check(generator.name), generator.tensor);
  }
  *state.mutable_loop() = loop_;
  epoch_metrics_.save(state.mutable_loop()->mutable_epoch_metrics());
  state.set_seed(seed_);
  for (const auto& name : modules_not_training()) {
    state.add_modules_in_eval_mode(name);
  }
  for (const auto& name : frozen_parameters(module_)) {
    state.add_frozen_parameters(name);
  }
  return snapshot;
}

void Training::put_back_rng() {
  restore_rng(module_, rng_before_sanity_check_);
  rng_before_sanity_check_.clear();
}

void Training::restore(const Snapshot& snapshot) {
  snapshot.device_copies.wait();
  const auto& state = snapshot.state;
  const auto count = static_cast<int>(optimizers_.size());
  if (state.optimizers_size() != count) {
    throw MismatchError("the checkpoint holds the state of " + std::to_string(state.optimizers_size()) +
                        " optimizers, the module configures " + std::to_string(count) +
                        (state.optimizers_size() == 0 ? ": weights alone cannot continue a run" : ""));
  }
  module_.on_load_checkpoint(StateDict(state.module_state()));  // It may make submodules that have tensors there.
  require_matching_module(module_, snapshot.tensors);
  for (int index = 0; index < count; ++index) {
    require_matching_optimizer(optimizer(static_cast<size_t>(index)), module_, state.optimizers(index));
  }
  for (int index = 0; index < count; ++index) {
    auto& slot = optimizers_[static_cast<size_t>(index)];
    const auto& saved = state.optimizers(index);
    restore_optimizer(*slot.config.optimizer, module_, index, saved, snapshot.tensors);
    slot.load_rates(saved);
  }
  restore_module(module_, snapshot.tensors);
  loop_ = state.loop();
  epoch_metrics_.load(loop_.epoch_metrics());
  loop_.clear_epoch_metrics();
  restore_gradients(module_, snapshot.tensors);
  restore_rng(module_, snapshot.tensors);
  rng_before_sanity_check_.clear();
  for (const auto& generator : rng_states(module_)) {
    if (const auto* state = find_tensor(snapshot.tensors, name_before_sanity_check(generator.name))) {
      rng_before_sanity_check_.push_back({generator.name, state->clone()});
    }
  }
  const auto& eval_mode = state.modules_in_eval_mode();
  set_modules_in_eval_mode(module_, {eval_mode.begin(), eval_mode.end()});
  set_frozen_parameters(module_, state.frozen_parameters());
}

}  // namespace troupe
