#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "troupe/callbacks/averaging/batch_norm_statistics.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// Takes the next of `updates` + 1 values into their mean.
void take_into_mean(at::Tensor& mean, const at::Tensor& value, int64_t updates) {
  mean.add_((value - mean) / (updates + 1));
}

}  // namespace

void StochasticWeightAveragingOptions::describe(OptionVisitor& visit) {
  visit("annealing_epochs", annealing_epochs, "Epochs until the rates are swa_lrs; 0: they are at once.").at_least(0);
  visit("annealing_strategy", annealing_strategy, "How the rates get there.");
  visit("swa_epoch_start", swa_epoch_start,
        "First epoch to average, counted from 1, or as a fraction of max_epochs, rounded down.");
  visit("swa_lrs", swa_lrs, "Learning rates of the averaging: one for all parameter groups, or one for each.")
      .greater_than(0)
      .required();
}

void StochasticWeightAveragingOptions::validate() const {
  const bool allowed = swa_epoch_start.valid() && (!swa_epoch_start.is_count() || swa_epoch_start.count() >= 1);
  if (!allowed) {
    throw ConfigError("'swa_epoch_start' must be a count of at least 1 or a fraction from 0.0 to 1.0, got " +
                      swa_epoch_start.to_string());
  }
  if (!std::all_of(swa_lrs.begin(), swa_lrs.end(), [](double lr) { return std::isfinite(lr); })) {
    throw ConfigError("'swa_lrs' must be finite");
  }
}

StochasticWeightAveraging::StochasticWeightAveraging(StochasticWeightAveragingOptions options)
    : options_(std::move(options)) {
  check_options("StochasticWeightAveraging", options_);
}

void StochasticWeightAveraging::on(const SetUp& event, Live& live) {
  if (event.stage() == v1::STAGE_FIT && !average_.bind(live.module())) {
    first_epoch_.reset();
    first_rates_.clear();
    finished_ = false;
  }
}

void StochasticWeightAveraging::on(const FitStarted&, Control& control) {
  first_epoch(control.run());  // What cannot be is said before the first step.
}

int64_t StochasticWeightAveraging::first_epoch(const RunState& run) const {
  const auto& fit = run.fit();
  const auto refuse = [](const std::string& why) { throw ConfigError("StochasticWeightAveraging: " + why); };
  if (fit.manual_optimization()) {
    refuse("the module optimises manually: its learning rates are its own");
  }
  const size_t groups = run.learning_rates().size();
  if (options_.swa_lrs.size() != 1 && options_.swa_lrs.size() != groups) {
    refuse("'swa_lrs' must be one rate, or one for each of the " + std::to_string(groups) + " parameter groups, got " +
           std::to_string(options_.swa_lrs.size()));
  }
  const auto& start = options_.swa_epoch_start;
  if (!start.is_count() && fit.max_epochs() < 0) {
    refuse("'swa_epoch_start' is the fraction " + start.to_string() +
           " of max_epochs, which has no limit: give a count, or limit max_epochs");
  }
  const int64_t from_one = start.is_count() ? start.count() : start.of(fit.max_epochs());
  return std::max<int64_t>(from_one - 1, 0);
}

void StochasticWeightAveraging::on(const TrainEpochStarted&, Live& live) {
  if (finished_) {  // A run that goes on after its end.
    average_.swap();
    finished_ = false;
  }
  const RunState& run = live.run();
  if (!first_epoch_ && static_cast<int64_t>(run.epoch()) >= first_epoch(run)) {
    first_epoch_ = run.epoch();
    for (torch::optim::Optimizer& optimizer : live.optimizers()) {
      for (auto& group : optimizer.param_groups()) {
        first_rates_.push_back(group.options().get_lr());
      }
    }
  }
  hold_rates(live.control(), /*all=*/true);
}

void StochasticWeightAveraging::on(const TrainBatchEnded&, Control& control) {
  hold_rates(control, /*all=*/false);
}

void StochasticWeightAveraging::on(const ValidationEnded&, Control& control) {
  hold_rates(control, /*all=*/false);
}

bool StochasticWeightAveraging::averages_now(const RunState& run) const {
  return first_epoch_.has_value() && run.run_stage() == v1::STAGE_FIT && !run.sanity_checking();
}

double StochasticWeightAveraging::annealed_rate(size_t group, int64_t epoch) const {
  const double goal = options_.swa_lrs[options_.swa_lrs.size() == 1 ? 0 : group];
  const auto passed = static_cast<double>(epoch - first_epoch_.value());
  const double t =
      options_.annealing_epochs == 0 ? 1 : std::min(1.0, passed / static_cast<double>(options_.annealing_epochs));
  const double part =
      options_.annealing_strategy == AnnealingStrategy::kLinear ? t : (1 - std::cos(std::numbers::pi * t)) / 2;
  return part == 1 ? goal : goal * part + first_rates_[group] * (1 - part);
}

void StochasticWeightAveraging::hold_rates(Control& control, bool all) const {
  const RunState& run = control.run();
  if (!averages_now(run)) {
    return;
  }
  const auto& rates = run.learning_rates();
  for (size_t i = 0; i < rates.size() && i < first_rates_.size(); ++i) {
    const double wanted = annealed_rate(i, run.epoch());
    if (all || rates[i].value() != wanted) {
      control.set_learning_rate(wanted, rates[i].name());
    }
  }
}

void StochasticWeightAveraging::on(const TrainEpochEnded&, Live& live) {
  if (averages_now(live.run())) {
    average_.update(/*use_buffers=*/false, take_into_mean);
  }
}

void StochasticWeightAveraging::on(const TrainEnded&, Live& live) {
  if (average_.updates() == 0) {
    return;
  }
  average_.swap();
  try {
    recompute_batch_norm(live.module(), [&] { live.forward_train_batches(); });
  } catch (...) {
    average_.swap();
    throw;
  }
  finished_ = true;
}

StateDict StochasticWeightAveraging::state_dict() const {
  StateDict state;
  state.set("average", average_.state_dict());
  if (first_epoch_) {
    state.set("first_epoch", *first_epoch_);
  }
  state.set("first_rates", first_rates_);
  state.set("finished", finished_);
  return state;
}

void StochasticWeightAveraging::load_state_dict(const StateDict& state) {
  average_.load_state_dict(state.get_dict("average"));
  first_epoch_ = state.contains("first_epoch") ? std::optional(state.get_int("first_epoch")) : std::nullopt;
  first_rates_ = state.get_doubles("first_rates");
  finished_ = state.get_bool("finished");
}

}  // namespace troupe
