#include "troupe/callbacks/tuning/learning_rate_finder.h"

#include <iostream>
#include <limits>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/file/file.h"

namespace troupe {
namespace {

/// A sweep with fewer points suggests none of them: lr_sweep skips those at both ends, and a slope takes two.
constexpr int64_t kSweepStepsMin = LrSweepOptions().skip_begin + LrSweepOptions().skip_end + 2;

bool is_to_train(const FitStarted& fit) {
  return !fit.fast_dev_run() && fit.train_batches() > 0 && fit.max_epochs() != 0 && fit.max_steps() != 0;
}

}  // namespace

void LearningRateFinderOptions::describe(OptionVisitor& visit) {
  visit("apply", apply, "Train with the rate that is suggested; false: only tell it.");
  visit("curve", curve,
        "Name of the files of the curve, without extension; relative to the run directory; empty: none.");
  visit("early_stop_threshold", early_stop_threshold,
        "End the sweep when the smoothed loss is so many times its best; none: only when it is not finite.")
      .at_least(1);
  visit("max_lr", max_lr, "Learning rate of the last step.").greater_than(0);
  visit("min_lr", min_lr, "Learning rate of the first step.").greater_than(0);
  visit("mode", mode, "How the rates between them are spaced.");
  visit("num_training_steps", num_training_steps, "Optimizer steps of the sweep.")
      .at_least(static_cast<double>(kSweepStepsMin));
  visit("verbose", verbose, "Say on standard error what was found.");
}

void LearningRateFinderOptions::validate() const {
  if (!(max_lr > min_lr)) {
    throw ConfigError("'max_lr' must be above 'min_lr', got " + shortest_text(max_lr) + " and " +
                      shortest_text(min_lr));
  }
}

LearningRateFinder::LearningRateFinder(LearningRateFinderOptions options) : options_(std::move(options)) {
  check_options("LearningRateFinder", options_);
}

LrSweepOptions LearningRateFinder::sweep_options() const {
  return {.early_stop_threshold = options_.early_stop_threshold.value_or(std::numeric_limits<double>::infinity()),
          .max_lr = options_.max_lr,
          .min_lr = options_.min_lr,
          .spacing = options_.mode,
          .steps = options_.num_training_steps};
}

void LearningRateFinder::prepare_files(Stage stage) const {
  if (stage == v1::STAGE_FIT && !options_.curve.empty()) {
    require_writable_folder((run_directory_ / options_.curve).parent_path());
  }
}

void LearningRateFinder::on(const FitStarted& event, Live& live) {
  curve_ = {};
  suggestion_.reset();
  if (!is_to_train(event)) {
    return;
  }
  curve_ = sweep(live);
  suggestion_ = curve_.suggested_rate();
  write_curve();
  if (suggestion_ && options_.apply) {
    live.control().set_learning_rate(*suggestion_);
  }
  report(live.control());
}

LrCurve LearningRateFinder::sweep(Live& live) const {
  const LrSweepOptions sweep = sweep_options();
  LrCurve curve;
  live.run_trial({.after_step =
                      [&](const TrialStep& step) {
                        curve.rates.push_back(step.learning_rate);
                        curve.losses.push_back(step.loss);
                        curve.smoothed_losses = smooth_losses(curve.losses, sweep.smoothing);
                        return !lr_sweep_diverged(curve.smoothed_losses, sweep.early_stop_threshold);
                      },
                  .learning_rate = [&](int64_t step) { return lr_sweep_rate(sweep, step); },
                  .steps = sweep.steps});
  curve.suggestion = suggest_learning_rate(sweep, curve.rates, curve.smoothed_losses);
  return curve;
}

void LearningRateFinder::write_curve() const {
  if (options_.curve.empty()) {
    return;
  }
  const std::string path = (run_directory_ / options_.curve).string();
  write_file_atomically(path + ".csv", lr_curve_csv(curve_));
  if (const std::string svg = lr_curve_svg(curve_, options_.mode); !svg.empty()) {
    write_file_atomically(path + ".svg", svg);
  }
}

void LearningRateFinder::report(Control& control) const {
  const auto tried = static_cast<int64_t>(curve_.rates.size());
  EventValues values{{"applied", suggestion_ && options_.apply}, {"rates_tried", tried}};
  if (suggestion_) {
    values["lr"] = *suggestion_;
  }
  control.emit(make_user_event("LearningRateFound", values));
  if (!options_.verbose) {
    return;
  }
  const std::string of =
      " (" + std::to_string(tried) + " of " + std::to_string(options_.num_training_steps) + " rates tried)\n";
  std::cerr << "LearningRateFinder: " +
                   (suggestion_ ? "the loss falls fastest at a learning rate of " + shortest_text(*suggestion_)
                                : "no learning rate to suggest: the loss fell at none; the rates stay as they are") +
                   of;
}

StateDict LearningRateFinder::state_dict() const {
  StateDict state;
  suggestion_ ? state.set("suggestion", *suggestion_) : state.set_none("suggestion");
  return state;
}

void LearningRateFinder::load_state_dict(const StateDict& state) {
  suggestion_ = state.is_none("suggestion") ? std::nullopt : std::optional(state.get_double("suggestion"));
}

}  // namespace troupe
