#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "troupe/callbacks/common/monitor.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct EarlyStoppingOptions {
  bool check_finite = true;                                     ///< NaN and infinities stop the run.
  std::optional<bool> check_on_train_epoch_end = std::nullopt;  ///< Where to check; unset: see EarlyStopping.
  std::optional<double> divergence_threshold = std::nullopt;    ///< A value worse than this is hopeless: stop.
  double min_delta = 0.0;                                       ///< An improvement must exceed this, strictly.
  Mode mode = Mode::kMin;                                       ///< Whether smaller or larger is better.
  std::string monitor = {};                                     ///< Metric to watch, as logged by the module. Required.
  int64_t patience = 3;                                         ///< Checks without improvement before the vote.
  std::optional<double> stopping_threshold = std::nullopt;      ///< A value better than this is good enough: stop.
  bool strict = true;                                           ///< A missing metric is an error.
  bool verbose = false;                                         ///< Say on standard error what each check found.

  void describe(OptionVisitor& visit);
};

/// Votes to stop the run when a metric no longer improves. It checks at the end of a training epoch or of a validation;
/// unless the options say which, at the end of the epoch where validation runs once an epoch or never, else after each
/// validation. Patience counts checks, not epochs. The vote is withdrawn when a later check finds no reason for it, and
/// cast afresh on resume from the restored state and the present options. Does nothing in a sanity check, in a
/// fast_dev_run and outside a fit.
///
/// Rules are those of Lightning's EarlyStopping.
class EarlyStopping {
 public:
  /// Nothing in its hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Why it votes, by Lightning's numbers.
  enum class Reason { kNotStopped = 0, kStoppingThreshold, kDivergenceThreshold, kPatienceExhausted, kNonFiniteMetric };

  /// Throws ConfigError when `monitor` is empty, or `patience` or `min_delta` is negative.
  explicit EarlyStopping(EarlyStoppingOptions options);

  /// Throw ConfigError when the metric is missing and `strict` is set.
  void on(const TrainEpochEnded& event, Control& control);
  void on(const ValidationEnded& event, Control& control);
  void on(const RunResumed& event, Control& control);

  StateDict state_dict() const;
  /// The present `patience` stays in force; a warning on standard error names both when the saved one differs.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

  /// Checks since the best one.
  int64_t wait_count() const { return wait_count_; }
  double best_score() const { return best_score_; }
  /// Epoch of the vote that stands; 0 without one.
  uint32_t stopped_epoch() const { return stopped_epoch_; }
  Reason stopping_reason() const { return reason_; }

 private:
  struct Verdict {
    Reason reason = Reason::kNotStopped;
    std::string message;
  };

  bool applies_to(const RunState& run) const;
  bool checks_on_train_epoch_end(const RunState& run) const;
  void check(Control& control);
  /// Counts the check and judges it.
  Verdict evaluate(double current, uint32_t epoch);
  /// The tests that depend on this value alone.
  Verdict judge_value(double current) const;
  Verdict judge_patience() const;
  /// "best 0.026 in epoch 27"; empty before there is one.
  std::string best_text() const;
  void say(const std::string& message) const;

  EarlyStoppingOptions options_;
  int64_t wait_count_ = 0;
  double best_score_;
  std::optional<uint32_t> best_epoch_;  // Counted from 0; unset: not known.
  std::optional<double> last_score_;    // Of the last check.
  uint32_t stopped_epoch_ = 0;
  Reason reason_ = Reason::kNotStopped;
  std::string message_;
};

}  // namespace troupe
