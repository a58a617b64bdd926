#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "troupe/callbacks/progress/progress_text.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

struct ProgressBarOptions {
  bool leave = false;        ///< Keep the bar of every epoch on the screen.
  int64_t refresh_rate = 1;  ///< Batches between updates; 0: no bar.

  void describe(OptionVisitor& visit);
};

/// Where a ProgressBar draws. The defaults are standard error and the machine's monotonic clock.
struct ProgressDisplay {
  std::ostream* out = &std::cerr;  ///< Must outlive the run.
  /// Whether `out` is a terminal: a bar is drawn over itself there, and lines are written elsewhere.
  std::optional<bool> terminal = std::nullopt;
  std::optional<size_t> columns = std::nullopt;  ///< Width in characters; unset: the terminal's.
  std::function<std::chrono::steady_clock::time_point()> now = &std::chrono::steady_clock::now;
};

/// Shows how far the run is: a bar for the epoch, the validation, the test or the prediction at hand, with rate, time
/// left and the metrics that were logged for progress displays. Epochs count from 1 here. On a terminal the bar is
/// redrawn at most 15 times a second; elsewhere there is a line at the end of each epoch, and one every 30 seconds
/// within it. It writes nothing after the run's end. An event costs a look at the clock; text is formatted only when it
/// is due.
class ProgressBar {
 public:
  explicit ProgressBar(ProgressBarOptions options = {}, ProgressDisplay display = {});

  void on(const RunStarted& event);
  void on(const RunResumed& event);
  void on(const TrainEpochStarted& event, const RunState& run);
  void on(const TrainBatchEnded& event, const RunState& run);
  void on(const TrainEpochEnded& event, const RunState& run);
  void on(const ValidationStarted& event, const RunState& run);
  void on(const ValidationBatchEnded& event, const RunState& run);
  void on(const ValidationEnded& event, const RunState& run);
  void on(const TestStarted& event, const RunState& run);
  void on(const TestBatchEnded& event, const RunState& run);
  void on(const TestEnded& event, const RunState& run);
  void on(const PredictStarted& event, const RunState& run);
  void on(const PredictBatchEnded& event, const RunState& run);
  void on(const PredictEnded& event, const RunState& run);
  void on(const ExceptionRaised& event, const RunState& run);
  void on(const RunEnded& event, const RunState& run);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void reset();
  Progress begin(std::string title, uint64_t total, uint64_t done) const;
  void begin_epoch(const RunState& run, uint64_t done);
  void begin_evaluation(std::string title, const RunState& run);
  void advance_evaluation(const RunState& run);
  void end_evaluation(const RunState& run);
  /// Shows `progress` if that is due.
  void refresh(const Progress& progress, const RunState& run);
  /// Shows it now; `final` ends its line on a terminal.
  void show(const Progress& progress, const RunState& run, bool final);
  void finish(const RunState& run);
  size_t columns() const;

  ProgressBarOptions options_;
  ProgressDisplay display_;
  bool terminal_;
  bool active_ = true;  // Within a run, and not switched off.
  bool drawn_ = false;  // A bar without its line's end is on the screen.
  TimePoint due_;
  std::optional<Progress> epoch_;
  std::optional<Progress> evaluation_;
};

}  // namespace troupe
