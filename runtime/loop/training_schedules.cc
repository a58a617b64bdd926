// Learning rates in the course of a training: schedules and plateaus.
#include <torch/torch.h>

#include <algorithm>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/module/optimizer_state.h"

namespace troupe {

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

bool Training::cycles_momentum() const {
  return std::any_of(optimizers_.begin(), optimizers_.end(), [](const Slot& slot) { return slot.cycles_momentum(); });
}

void Training::Slot::apply_schedule() {
  if (!config.lr_schedule) {
    return;
  }
  auto& groups = config.optimizer->param_groups();
  const auto momentum = config.lr_schedule->momentum(schedule_step);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].options().set_lr(lr_factors[i] * scheduled_lr(i));
    if (momentum && !momentum_commanded[i]) {
      set_momentum_of(*config.optimizer, groups[i], *momentum);
    }
  }
}

void Training::Slot::save_rates(v1::OptimizerState& state) const {
  state.set_schedule_step(static_cast<uint64_t>(schedule_step));
  state.set_schedule_units(static_cast<uint64_t>(schedule_units));
  for (size_t i = 0; i < base_lrs.size(); ++i) {
    auto& group = *state.mutable_groups(static_cast<int>(i));
    group.set_base_lr(base_lrs[i]);
    if (lr_factors[i] != 1.0) {
      group.set_lr_factor(lr_factors[i]);
    }
    group.set_momentum_commanded(momentum_commanded[i]);
  }
  if (plateau) {
    *state.mutable_plateau() = plateau->state();
  }
}

void Training::Slot::load_rates(const v1::OptimizerState& state) {
  schedule_step = static_cast<int64_t>(state.schedule_step());
  schedule_units = static_cast<int64_t>(state.schedule_units());
  for (size_t i = 0; i < base_lrs.size(); ++i) {
    const auto& group = state.groups(static_cast<int>(i));
    base_lrs[i] = group.base_lr();
    lr_factors[i] = group.has_lr_factor() ? group.lr_factor() : 1.0;
    momentum_commanded[i] = group.momentum_commanded();
  }
  if (plateau && state.has_plateau()) {
    plateau->load_state(state.plateau());
  }
}

std::vector<double> Training::learning_rates() {
  std::vector<double> rates;
  for_each_group([&](const Slot&, size_t, torch::optim::OptimizerParamGroup& group) {
    rates.push_back(group.options().get_lr());
  });
  return rates;
}

GroupRates Training::group_rates() {
  GroupRates rates{learning_rates(), {}};
  if (cycles_momentum()) {
    for_each_group([&](const Slot&, size_t, torch::optim::OptimizerParamGroup& group) {
      rates.momenta.push_back(momentum_of(group));
    });
  }
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

bool Training::uses_plateau() const {
  return std::any_of(optimizers_.begin(), optimizers_.end(), [](const Slot& slot) { return slot.plateau.has_value(); });
}

void Training::remember_metric(const std::string& name, double value) {
  if (!uses_plateau()) {
    return;
  }
  auto& latest = *loop_.mutable_latest_metrics();
  const auto place = std::lower_bound(latest.begin(), latest.end(), name,
                                      [](const auto& kept, const auto& wanted) { return kept.name() < wanted; });
  if (place != latest.end() && place->name() == name) {
    place->set_value(value);
    return;
  }
  const auto index = place - latest.begin();
  auto* added = latest.Add();
  added->set_name(name);
  added->set_value(value);
  std::rotate(latest.pointer_begin() + index, latest.pointer_end() - 1, latest.pointer_end());
}

void Training::remember_metrics(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics) {
  for (const auto& metric : metrics) {
    remember_metric(metric.name(), metric.value());
  }
}

void Training::check_plateaus(PlateauOptions::Interval interval, uint64_t count, bool cut_short,
                              google::protobuf::RepeatedField<double>* rates) {
  for (auto& slot : optimizers_) {
    if (slot.plateau && slot.plateau->options().interval == interval) {
      check_plateau(slot, count, cut_short);
    }
  }
  if (uses_plateau()) {  // Otherwise rates change at batches only, and batch events have them.
    add_changed_learning_rates(rates);
  }
}

void Training::check_plateau(Slot& slot, uint64_t count, bool cut_short) {
  const auto& options = slot.plateau->options();
  if (count % static_cast<uint64_t>(options.frequency) != 0) {
    return;
  }
  const auto& latest = loop_.latest_metrics();
  const auto found =
      std::find_if(latest.begin(), latest.end(), [&](const auto& metric) { return metric.name() == options.monitor; });
  if (found == latest.end()) {
    if (cut_short) {
      return;
    }
    std::string names;
    for (const auto& metric : latest) {
      names.append(names.empty() ? "" : ", ").append(metric.name());
    }
    throw ConfigError("plateau of " + slot.name + ": no metric '" + options.monitor + "' at the end of " +
                      (options.interval == PlateauOptions::Interval::kEpoch ? "epoch " : "a validation in epoch ") +
                      std::to_string(loop_.epoch()) + ": logged so far are " + (names.empty() ? "none" : names));
  }
  if (slot.plateau->check(found->value())) {
    auto& groups = slot.config.optimizer->param_groups();
    for (size_t i = 0; i < groups.size(); ++i) {
      const double lr = groups[i].options().get_lr();
      const double reduced = slot.plateau->reduced(lr);
      if (reduced != lr) {
        slot.set_lr(reduced, i);
      }
    }
  }
}

}  // namespace troupe
