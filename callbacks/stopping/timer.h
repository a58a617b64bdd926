#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

enum class TimerInterval { kStep, kEpoch };

template <>
struct EnumNames<TimerInterval> {
  static constexpr std::array<std::pair<TimerInterval, std::string_view>, 2> kNames{
      {{TimerInterval::kStep, "step"}, {TimerInterval::kEpoch, "epoch"}}};
};

struct TimerOptions {
  std::string duration = {};                      ///< "DD:HH:MM:SS". Required.
  TimerInterval interval = TimerInterval::kStep;  ///< Look after every batch, or at the end of every epoch.
  bool verbose = true;                            ///< Say on standard error that the time is over.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Votes to stop the fit when the run has run for `duration`, over all its incarnations; min_epochs and min_steps win.
/// The time counts from the start of the run, validations included; it is looked at after batches or epochs, and before
/// the first step, so a resumed run whose time is over trains nothing. It goes by the run's recorded time, so it needs
/// no state of its own, and it is asked only when the time is over, so it costs nothing until then. As in Lightning's
/// Timer otherwise.
class Timer {
 public:
  /// Nothing in its hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Throws ConfigError when `duration` is none.
  explicit Timer(TimerOptions options);

  void on(const FitStarted& event, Control& control);
  void on(const RunResumed& event, Control& control);
  void on(const TrainBatchEnded& event, Control& control);
  void on(const TrainEpochEnded& event, Control& control);
  std::vector<AskWhen> ask_when() const;

 private:
  void check(Control& control);

  TimerOptions options_;
  int64_t duration_us_;
  bool voted_ = false;  // In this process's part of the run.
};

}  // namespace troupe
