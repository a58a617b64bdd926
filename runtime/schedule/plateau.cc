#include "troupe/runtime/schedule/plateau.h"

#include <algorithm>

namespace troupe {

void PlateauOptions::describe(OptionVisitor& visit) {
  visit("monitor", monitor, "Metric to watch.").required();
  visit("mode", mode, "Whether smaller or larger is better.");
  visit("factor", factor, "What the learning rate is multiplied by.").at_least(0).less_than(1);
  visit("patience", patience, "Checks in a row without improvement that are let pass.").at_least(0);
  visit("threshold", threshold, "An improvement must exceed this.").at_least(0);
  visit("threshold_mode", threshold_mode, "Whether the threshold is a part of the best value.");
  visit("cooldown", cooldown, "Checks after a reduction at which no bad one is counted.").at_least(0);
  visit("min_lr", min_lr, "No rate is reduced below this.").at_least(0);
  visit("eps", eps, "A reduction by no more than this is not made.").at_least(0);
  visit("interval", interval, "Where the metric is looked at.");
  visit("frequency", frequency, "Every n-th epoch, or validation, is looked at.").at_least(1);
}

Plateau::Plateau(PlateauOptions options) : options_(std::move(options)), best_(worst_score(options_.mode)) {
  check_options("configure_optimizers: plateau", options_);
}

bool Plateau::improves(double value) const {
  const double sign = options_.mode == Mode::kMin ? -1 : 1;
  const double bound = options_.threshold_mode == ThresholdMode::kRel ? best_ * (1 + sign * options_.threshold)
                                                                      : best_ + sign * options_.threshold;
  return better(options_.mode, value, bound);
}

bool Plateau::check(double value) {
  if (improves(value)) {
    best_ = value;
    bad_checks_ = 0;
  } else {
    ++bad_checks_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_checks_ = 0;
  }
  if (bad_checks_ <= static_cast<uint64_t>(options_.patience)) {
    return false;
  }
  cooldown_left_ = static_cast<uint64_t>(options_.cooldown);
  bad_checks_ = 0;
  return true;
}

double Plateau::reduced(double lr) const {
  const double lower = std::max(lr * options_.factor, options_.min_lr);
  return lr - lower > options_.eps ? lower : lr;
}

v1::PlateauState Plateau::state() const {
  v1::PlateauState state;
  state.set_best(best_);
  state.set_bad_checks(bad_checks_);
  state.set_cooldown_left(cooldown_left_);
  return state;
}

void Plateau::load_state(const v1::PlateauState& state) {
  best_ = state.best();
  bad_checks_ = state.bad_checks();
  cooldown_left_ = state.cooldown_left();
}

}  // namespace troupe
