#include "runtime/training.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>

#include "runtime/error.h"
#include "runtime/evaluation_loop.h"
#include "runtime/optimizer_state.h"
#include "runtime/seed.h"

namespace troupe {
namespace {

constexpr char kRngBeforeSanityCheck[] = "rng.before_sanity_check";

void check_config(const OptimizerConfig& config) {
  if (config.optimizer == nullptr) {
    throw ConfigError("configure_optimizers: gave a config without an optimizer");
  }
  require_known_optimizer(*config.optimizer);
  if (config.frequency < 1) {
    throw ConfigError("configure_optimizers: frequency must be at least 1, got " + std::to_string(config.frequency));
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
    check_config(config);
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
  for (auto& slot : optimizers_) {
    for (auto& group : slot.config.optimizer->param_groups()) {
      slot.base_lrs.push_back(group.options().get_lr());
    }
    slot.lr_factors.assign(slot.base_lrs.size(), 1.0);
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

void Training::epoch_ended() {
  for (auto& slot : optimizers_) {
    if (automatic_ && slot.counts(OptimizerConfig::Interval::kEpoch)) {
      count_unit(slot);
    }
  }
}

void Training::advance_schedule(size_t index) {
  auto& slot = optimizers_[index];
  ++slot.schedule_step;
  slot.apply_schedule();
}

void Training::count_unit(Slot& slot) {
  if (++slot.schedule_units % slot.config.frequency == 0 && module_.lr_scheduler_step()) {
    ++slot.schedule_step;
    slot.apply_schedule();
  }
}

bool Training::schedules_per_step() const {
  return std::any_of(optimizers_.begin(), optimizers_.end(),
                     [](const Slot& slot) { return slot.counts(OptimizerConfig::Interval::kStep); });
}

void Training::Slot::apply_schedule() {
  if (!config.lr_schedule) {
    return;
  }
  auto& groups = config.optimizer->param_groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].options().set_lr(lr_factors[i] * scheduled_lr(i));
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

std::vector<double> Training::learning_rates() {
  std::vector<double> rates;
  for_each_group([&](const Slot&, size_t, torch::optim::OptimizerParamGroup& group) {
    rates.push_back(group.options().get_lr());
  });
  return rates;
}

void Training::add_changed_learning_rates(google::protobuf::RepeatedField<double>* rates) {
  auto* emitted = loop_.mutable_emitted_learning_rates();
  int place = 0;
  bool changed = false;
  for_each_group([&](const Slot&, size_t, torch::optim::OptimizerParamGroup& group) {
    changed = changed || place >= emitted->size() || group.options().get_lr() != (*emitted)[place];
    ++place;
  });
  if (changed || place != emitted->size()) {
    emitted->Clear();
    for (const double rate : learning_rates()) {
      emitted->Add(rate);
    }
    *rates = *emitted;
  }
}

std::vector<std::string> Training::modules_not_training() const {
  return modes_before_evaluation_ ? *modes_before_evaluation_ : modules_in_eval_mode(module_);
}

std::shared_ptr<Snapshot> Training::capture(bool weights_only) {
  auto snapshot = std::make_shared<Snapshot>();
  capture_module(module_, snapshot->tensors);
  if (weights_only) {
    return snapshot;
  }
  auto& state = snapshot->state;
  for (size_t index = 0; index < optimizers_.size(); ++index) {
    const auto& slot = optimizers_[index];
    auto& saved = *state.add_optimizers();
    saved = capture_optimizer(optimizer(index), module_, static_cast<int>(index), snapshot->tensors);
    saved.set_schedule_step(static_cast<uint64_t>(slot.schedule_step));
    saved.set_schedule_units(static_cast<uint64_t>(slot.schedule_units));
    for (size_t i = 0; i < slot.base_lrs.size(); ++i) {
      auto& group = *saved.mutable_groups(static_cast<int>(i));
      group.set_base_lr(slot.base_lrs[i]);
      if (slot.lr_factors[i] != 1.0) {
        group.set_lr_factor(slot.lr_factors[i]);
      }
    }
  }
  if (holds_gradients()) {
    capture_gradients(module_, snapshot->tensors);
  }
  capture_rng(snapshot->tensors);
  if (rng_before_sanity_check_.defined()) {
    snapshot->tensors.push_back({kRngBeforeSanityCheck, rng_before_sanity_check_.clone()});
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

void Training::restore(const Snapshot& snapshot) {
  const auto& state = snapshot.state;
  const auto count = static_cast<int>(optimizers_.size());
  if (state.optimizers_size() != count) {
    throw MismatchError("the checkpoint holds the state of " + std::to_string(state.optimizers_size()) +
                        " optimizers, the module configures " + std::to_string(count) +
                        (state.optimizers_size() == 0 ? ": weights alone cannot continue a run" : ""));
  }
  require_matching_module(module_, snapshot.tensors);
  for (int index = 0; index < count; ++index) {
    require_matching_optimizer(optimizer(static_cast<size_t>(index)), module_, state.optimizers(index));
  }
  for (int index = 0; index < count; ++index) {
    auto& slot = optimizers_[static_cast<size_t>(index)];
    const auto& saved = state.optimizers(index);
    restore_optimizer(*slot.config.optimizer, module_, index, saved, snapshot.tensors);
    slot.schedule_step = static_cast<int64_t>(saved.schedule_step());
    slot.schedule_units = static_cast<int64_t>(saved.schedule_units());
    for (size_t i = 0; i < slot.base_lrs.size(); ++i) {
      const auto& group = saved.groups(static_cast<int>(i));
      slot.base_lrs[i] = group.base_lr();
      slot.lr_factors[i] = group.has_lr_factor() ? group.lr_factor() : 1.0;
    }
  }
  restore_module(module_, snapshot.tensors);
  loop_ = state.loop();
  epoch_metrics_.load(loop_.epoch_metrics());
  loop_.clear_epoch_metrics();
  restore_gradients(module_, snapshot.tensors);
  restore_rng(snapshot.tensors);
  if (const auto* rng = find_tensor(snapshot.tensors, kRngBeforeSanityCheck)) {
    rng_before_sanity_check_ = rng->clone();
  }
  const auto& eval_mode = state.modules_in_eval_mode();
  set_modules_in_eval_mode(module_, {eval_mode.begin(), eval_mode.end()});
  set_frozen_parameters(module_, state.frozen_parameters());
}

}  // namespace troupe
