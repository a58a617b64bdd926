#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

enum class LoggingInterval { kStep, kEpoch };

template <>
struct EnumNames<LoggingInterval> {
  static constexpr std::array<std::pair<LoggingInterval, std::string_view>, 2> kNames{
      {{LoggingInterval::kStep, "step"}, {LoggingInterval::kEpoch, "epoch"}}};
};

struct LearningRateMonitorOptions {
  bool log_momentum = false;      ///< Also "lr-Adam-momentum": the momentum, or the first beta.
  bool log_weight_decay = false;  ///< Also "lr-Adam-weight_decay".
  std::optional<LoggingInterval> logging_interval = std::nullopt;  ///< Unset: each schedule's own interval.

  void describe(OptionVisitor& visit);
};

/// Has the loop log the learning rate of every parameter group as a metric, by Lightning's names: "lr-Adam",
/// "lr-Adam/pg1". It decides once, at the start of the fit, and costs nothing per step; a resumed run goes on logging
/// without being told again.
class LearningRateMonitor {
 public:
  /// Nothing in its hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  explicit LearningRateMonitor(LearningRateMonitorOptions options = {}) : options_(options) {}

  void on(const FitStarted& event, Control& control);

 private:
  LearningRateMonitorOptions options_;
};

}  // namespace troupe
