#include "runtime/training.h"

#include <torch/torch.h>

#include "runtime/error.h"
#include "runtime/evaluation_loop.h"
#include "runtime/optimizer_state.h"
#include "runtime/seed.h"

namespace troupe {
namespace {

constexpr char kRngBeforeSanityCheck[] = "rng.before_sanity_check";

OptimizerConfig take_optimizer(Module& module) {
  auto configs = module.configure_optimizers();
  if (configs.size() != 1 || configs.front().optimizer == nullptr) {
    throw ConfigError("configure_optimizers: gave " + std::to_string(configs.size()) +
                      " optimizers, allowed is exactly one");
  }
  require_known_optimizer(*configs.front().optimizer);
  if (configs.front().frequency < 1) {
    throw ConfigError("configure_optimizers: frequency must be at least 1, got " +
                      std::to_string(configs.front().frequency));
  }
  if (configs.front().name.empty()) {
    configs.front().name = optimizer_type(*configs.front().optimizer);
  }
  return std::move(configs.front());
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

Training::Training(Module& module, uint64_t seed) : module_(module), config_(take_optimizer(module)), seed_(seed) {
  for (auto& group : optimizer().param_groups()) {
    base_lrs_.push_back(group.options().get_lr());
  }
  apply_schedule();
  require_named_parameters(optimizer(), module_);
}

void Training::zero_grad() {
  for (auto& group : optimizer().param_groups()) {
    for (auto& parameter : group.params()) {
      parameter.mutable_grad().reset();
    }
  }
}

void Training::optimizer_step() {
  optimizer().step();
  if (schedules_per_step() && ++schedule_units_ % config_.frequency == 0) {
    ++schedule_step_;
    apply_schedule();
  }
}

void Training::epoch_ended() {
  if (has_schedule() && !schedules_per_step() && ++schedule_units_ % config_.frequency == 0) {
    ++schedule_step_;
    apply_schedule();
  }
}

bool Training::schedules_per_step() const {
  return has_schedule() && config_.interval == OptimizerConfig::Interval::kStep;
}

void Training::apply_schedule() {
  if (!has_schedule()) {
    return;
  }
  auto& groups = optimizer().param_groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].options().set_lr((*config_.lr_schedule)(base_lrs_[i], schedule_step_));
  }
}

std::string Training::group_name(size_t index) {
  const std::string name = "lr-" + config_.name;
  return optimizer().param_groups().size() == 1 ? name : name + "/pg" + std::to_string(index + 1);
}

std::vector<v1::ParamGroup> Training::param_groups() {
  std::vector<v1::ParamGroup> result;
  auto& groups = optimizer().param_groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    auto& group = result.emplace_back();
    group.set_name(group_name(i));
    group.set_lr(groups[i].options().get_lr());
    group.set_momentum(momentum_of(groups[i]));
    group.set_weight_decay(weight_decay_of(groups[i]));
  }
  return result;
}

std::vector<double> Training::learning_rates() {
  std::vector<double> rates;
  for (auto& group : optimizer().param_groups()) {
    rates.push_back(group.options().get_lr());
  }
  return rates;
}

void Training::add_changed_learning_rates(google::protobuf::RepeatedField<double>* rates) {
  auto& groups = optimizer().param_groups();
  auto* emitted = loop_.mutable_emitted_learning_rates();
  bool changed = emitted->size() != static_cast<int>(groups.size());
  for (size_t i = 0; i < groups.size() && !changed; ++i) {
    changed = groups[i].options().get_lr() != (*emitted)[static_cast<int>(i)];
  }
  if (changed) {
    emitted->Clear();
    for (auto& group : groups) {
      emitted->Add(group.options().get_lr());
    }
    *rates = *emitted;
  }
}

bool Training::set_learning_rate(double lr, const std::string& group) {
  bool found = false;
  auto& groups = optimizer().param_groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!group.empty() && group != group_name(i)) {
      continue;
    }
    const double present = groups[i].options().get_lr();
    base_lrs_[i] = present > 0 ? base_lrs_[i] * (lr / present) : lr;
    groups[i].options().set_lr(lr);
    found = true;
  }
  return found;
}

std::shared_ptr<Snapshot> Training::capture(bool weights_only) {
  auto snapshot = std::make_shared<Snapshot>();
  capture_module(module_, snapshot->tensors);
  if (weights_only) {
    return snapshot;
  }
  auto& state = snapshot->state;
  *state.add_optimizers() = capture_optimizer(optimizer(), module_, 0, snapshot->tensors);
  auto& saved = *state.mutable_optimizers(0);
  saved.set_schedule_step(static_cast<uint64_t>(schedule_step_));
  saved.set_schedule_units(static_cast<uint64_t>(schedule_units_));
  for (size_t i = 0; i < base_lrs_.size(); ++i) {
    saved.mutable_groups(static_cast<int>(i))->set_base_lr(base_lrs_[i]);
  }
  if (window_is_open()) {
    capture_gradients(module_, snapshot->tensors);
  }
  capture_rng(snapshot->tensors);
  if (rng_before_sanity_check_.defined()) {
    snapshot->tensors.push_back({kRngBeforeSanityCheck, rng_before_sanity_check_.clone()});
  }
  *state.mutable_loop() = loop_;
  epoch_metrics_.save(state.mutable_loop()->mutable_epoch_metrics());
  state.set_seed(seed_);
  for (const auto& name : modes_before_evaluation_ ? *modes_before_evaluation_ : modules_in_eval_mode(module_)) {
    state.add_modules_in_eval_mode(name);
  }
  for (const auto& name : frozen_parameters(module_)) {
    state.add_frozen_parameters(name);
  }
  return snapshot;
}

void Training::restore(const Snapshot& snapshot) {
  const auto& state = snapshot.state;
  if (state.optimizers_size() != 1) {
    throw MismatchError("the checkpoint holds the state of " + std::to_string(state.optimizers_size()) +
                        " optimizers, the module configures 1" +
                        (state.optimizers_size() == 0 ? ": weights alone cannot continue a run" : ""));
  }
  const auto& saved = state.optimizers(0);
  require_matching_module(module_, snapshot.tensors);
  restore_optimizer(optimizer(), module_, 0, saved, snapshot.tensors);
  restore_module(module_, snapshot.tensors);
  schedule_step_ = static_cast<int64_t>(saved.schedule_step());
  schedule_units_ = static_cast<int64_t>(saved.schedule_units());
  for (size_t i = 0; i < base_lrs_.size(); ++i) {
    base_lrs_[i] = saved.groups(static_cast<int>(i)).base_lr();
  }
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
