#pragma once

#include <troupe/v1/measured.pb.h>

#include <filesystem>
#include <optional>
#include <string>

#include "troupe/callbacks/logging/appended_file.h"
#include "troupe/callbacks/logging/metric_points.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct JSONLoggerOptions {
  std::string path = "metrics.jsonl";  ///< Relative to the run directory, or absolute.

  void describe(OptionVisitor& visit);
};

/// Writes metrics as JSON Lines: at each of the MetricPoints, and for what an observer measured, one object,
/// {"epoch":0,"step":50,"loss":0.25}, with epoch (from 0), step (optimizer steps completed) and the metrics by name,
/// sorted; NaN and infinities as the strings "nan", "inf" and "-inf". A line is in the file as soon as it has come.
///
/// A resumed run goes on where its checkpoint was: what was written later is cut off. Two loggers need two paths.
class JSONLogger : public MetricPoints<JSONLogger> {
 public:
  using UserEvents = UserEventTypes<v1::Measured>;

  explicit JSONLogger(JSONLoggerOptions options = {});

  /// Where relative paths start. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }

  /// Before a run that it logs: makes the folder, and an empty file where there is none. Throws IoError when the file
  /// cannot be made or written.
  void prepare_files(Stage stage);

  // All throw IoError when the file cannot be made or written.
  void on(const FitStarted& event);
  void on(const RunResumed& event);
  void on(const v1::Measured& measured, const RunState& run);
  void on(const TrainBatchEnded& event, const RunState& run) { take(event, run); }
  void on(const TrainEpochEnded& event, const RunState& run) { take(event, run); }
  void on(const ValidationEpochEnded& event, const RunState& run) { take(event, run); }
  void on(const TestEpochEnded& event, const RunState& run) { take(event, run); }

  /// What is written is durable when it returns.
  StateDict state_dict() const;
  /// Cuts the file back; a warning on standard error says so when a part of it is missing.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

 private:
  friend class MetricPoints<JSONLogger>;

  std::filesystem::path file_path() const { return run_directory_ / options_.path; }
  /// The file, opened; emptied where a run starts.
  AppendedFile& file();
  void log(const MetricList& metrics, const RunState& run);

  JSONLoggerOptions options_;
  std::filesystem::path run_directory_;
  std::optional<AppendedFile> file_;
};

}  // namespace troupe
