#include "troupe/callbacks/stopping/early_stopping.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/options/options.h"

namespace troupe {
namespace {

std::string short_number(double value) {
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

}  // namespace

void EarlyStoppingOptions::describe(OptionVisitor& visit) {
  visit("monitor", monitor, "Metric to watch, as logged by the module.").required();
  visit("min_delta", min_delta, "An improvement must exceed this, strictly.").at_least(0);
  visit("patience", patience, "Checks without improvement before the vote; counts checks, not epochs.").at_least(0);
  visit("mode", mode, "Whether smaller or larger is better.");
  visit("strict", strict, "A missing metric is an error.");
  visit("check_finite", check_finite, "NaN and infinities stop the run.");
  visit("stopping_threshold", stopping_threshold, "A value better than this is good enough: stop.");
  visit("divergence_threshold", divergence_threshold, "A value worse than this is hopeless: stop.");
  visit("check_on_train_epoch_end", check_on_train_epoch_end,
        "Check at the end of the training epoch (true) or of the validation (false); none: where validation tells.");
  visit("verbose", verbose, "Say on standard error what each check found.");
}

EarlyStopping::EarlyStopping(EarlyStoppingOptions options)
    : options_(std::move(options)), best_score_(worst_score(options_.mode)) {
  check_options("EarlyStopping", options_);
}

bool EarlyStopping::applies_to(const RunState& run) const {
  return run.run_stage() == v1::STAGE_FIT && !run.sanity_checking() && !run.fit().fast_dev_run();
}

bool EarlyStopping::checks_on_train_epoch_end(const RunState& run) const {
  return options_.check_on_train_epoch_end.value_or(run.fit().validates_at_epoch_end() || !validates(run.fit()));
}

void EarlyStopping::on(const TrainEpochEnded&, Control& control) {
  if (applies_to(control.run()) && checks_on_train_epoch_end(control.run())) {
    check(control);
  }
}

void EarlyStopping::on(const ValidationEnded&, Control& control) {
  if (applies_to(control.run()) && !checks_on_train_epoch_end(control.run())) {
    check(control);
  }
}

void EarlyStopping::on(const RunResumed&, Control& control) {
  if (!applies_to(control.run()) || !last_score_) {
    return;
  }
  Verdict verdict = judge_value(*last_score_);
  if (verdict.reason == Reason::kNotStopped) {
    verdict = judge_patience();
  }
  if (verdict.reason == Reason::kNotStopped) {
    stopped_epoch_ = 0;
  } else {
    if (reason_ == Reason::kNotStopped) {
      stopped_epoch_ = control.run().epoch();
    }
    control.stop(verdict.message);
  }
  reason_ = verdict.reason;
  message_ = std::move(verdict.message);
}

void EarlyStopping::check(Control& control) {
  const RunState& run = control.run();
  const auto current = run.metric(options_.monitor);
  if (!current) {
    const std::string message = missing_metric("EarlyStopping", options_.monitor, run);
    if (options_.strict) {
      throw ConfigError(message);
    }
    say(message);
    return;
  }
  Verdict verdict = evaluate(*current, run.epoch());
  if (verdict.reason != Reason::kNotStopped) {
    stopped_epoch_ = run.epoch();
    control.stop(verdict.message);
    say(verdict.message);
  } else if (reason_ != Reason::kNotStopped) {
    stopped_epoch_ = 0;
    control.withdraw_stop();
  }
  reason_ = verdict.reason;
  message_ = std::move(verdict.message);
}

EarlyStopping::Verdict EarlyStopping::evaluate(double current, uint32_t epoch) {
  last_score_ = current;
  if (Verdict verdict = judge_value(current); verdict.reason != Reason::kNotStopped) {
    return verdict;
  }
  const double margin = options_.mode == Mode::kMin ? options_.min_delta : -options_.min_delta;
  if (!better(options_.mode, current + margin, best_score_)) {
    ++wait_count_;
    return judge_patience();
  }
  const std::string before = best_text();
  say("EarlyStopping: " + options_.monitor + " has improved to " + short_number(current) +
      (before.empty() ? "" : " (before: " + before + ")"));
  best_score_ = current;
  best_epoch_ = epoch;
  wait_count_ = 0;
  return {};
}

EarlyStopping::Verdict EarlyStopping::judge_value(double current) const {
  const std::string value = "EarlyStopping: " + options_.monitor + " is " + python_repr(current);
  const bool smaller = options_.mode == Mode::kMin;
  const std::string best = best_text().empty() ? "" : " (" + best_text() + ")";
  if (options_.check_finite && !std::isfinite(current)) {
    return {Reason::kNonFiniteMetric, value + ", which is not finite" + best + "; stopping"};
  }
  if (const auto& limit = options_.stopping_threshold; limit && better(options_.mode, current, *limit)) {
    return {Reason::kStoppingThreshold, value + (smaller ? ", below" : ", above") + " the stopping_threshold of " +
                                            python_repr(*limit) + "; stopping"};
  }
  if (const auto& limit = options_.divergence_threshold; limit && better(options_.mode, *limit, current)) {
    return {Reason::kDivergenceThreshold, value + (smaller ? ", above" : ", below") + " the divergence_threshold of " +
                                              python_repr(*limit) + best + "; stopping"};
  }
  return {};
}

EarlyStopping::Verdict EarlyStopping::judge_patience() const {
  if (wait_count_ == 0 || wait_count_ < options_.patience) {
    return {};
  }
  return {Reason::kPatienceExhausted, "EarlyStopping: " + options_.monitor + " has not improved for " +
                                          std::to_string(wait_count_) + (wait_count_ == 1 ? " check" : " checks") +
                                          (best_text().empty() ? "" : " (" + best_text() + ")") + "; stopping"};
}

std::string EarlyStopping::best_text() const {
  if (!std::isfinite(best_score_)) {
    return {};
  }
  return "best " + short_number(best_score_) + (best_epoch_ ? " in epoch " + std::to_string(*best_epoch_) : "");
}

void EarlyStopping::say(const std::string& message) const {
  if (options_.verbose) {
    std::cerr << message + "\n";
  }
}

StateDict EarlyStopping::state_dict() const {
  StateDict state;
  state.set("wait_count", wait_count_);
  state.set("stopped_epoch", stopped_epoch_);
  state.set("best_score", best_score_);
  if (best_epoch_) {
    state.set("best_epoch", *best_epoch_);
  }
  state.set("patience", options_.patience);
  state.set("stopping_reason", static_cast<int>(reason_));
  state.set("stopping_reason_message", message_);
  if (last_score_) {
    state.set("last_score", *last_score_);
  }
  return state;
}

void EarlyStopping::load_state_dict(const StateDict& state) {
  wait_count_ = state.get_int("wait_count");
  stopped_epoch_ = static_cast<uint32_t>(state.get_int("stopped_epoch"));
  best_score_ = state.get_double("best_score");
  best_epoch_.reset();
  if (state.contains("best_epoch")) {  // Earlier states have none.
    best_epoch_ = static_cast<uint32_t>(state.get_int("best_epoch"));
  }
  reason_ = static_cast<Reason>(state.get_int("stopping_reason"));
  message_ = state.get_string("stopping_reason_message");
  last_score_ = state.is_none("last_score") ? std::nullopt : std::optional(state.get_double("last_score"));
  if (const int64_t saved = state.get_int("patience"); saved != options_.patience) {
    std::cerr << "warning: " + state_key() + ": patience is " + std::to_string(options_.patience) +
                     " in the options and was " + std::to_string(saved) + " in the checkpoint; " +
                     std::to_string(options_.patience) + " is in force\n";
  }
}

std::string EarlyStopping::state_key() const {
  return "EarlyStopping{'monitor': " + python_repr(options_.monitor) +
         ", 'mode': " + python_repr(mode_name(options_.mode)) + "}";
}

}  // namespace troupe
