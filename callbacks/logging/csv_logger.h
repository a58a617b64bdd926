#pragma once

#include <troupe/v1/measured.pb.h>

#include <filesystem>
#include <optional>
#include <string>

#include "troupe/callbacks/logging/csv_table.h"
#include "troupe/callbacks/logging/metric_points.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct CSVLoggerOptions {
  std::string path = "metrics.csv";  ///< Relative to the run directory, or absolute.

  void describe(OptionVisitor& visit);
};

/// Writes metrics as rows of a CSV file: epoch (from 0), step (optimizer steps completed), then a column a metric; a
/// row at each of the MetricPoints.
///
/// What observers measure of the machine and of its speed (v1::Measured) goes into a file of its own beside it,
/// "metrics_measured.csv": epoch and step of the event before, then a column a measurement. So equal runs have equal
/// metrics.csv.
///
/// A resumed run goes on where its checkpoint was: what was written later is cut off. Two loggers need two paths.
class CSVLogger : public MetricPoints<CSVLogger> {
 public:
  using UserEvents = UserEventTypes<v1::Measured>;

  explicit CSVLogger(CSVLoggerOptions options = {});

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
  /// Cuts the file back; a warning on standard error says so when rows are missing from it.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

 private:
  friend class MetricPoints<CSVLogger>;

  std::filesystem::path file_path() const { return run_directory_ / options_.path; }
  std::filesystem::path measured_path() const;
  /// Opens the files: what is in them is cut to what the state says, so to nothing where a run starts. That of
  /// measurements only where there is one.
  void open_files();
  void log(const MetricList& metrics, const RunState& run);
  static void append(const MetricList& metrics, const RunState& run, std::optional<CsvTable>& table,
                     const std::filesystem::path& path);

  CSVLoggerOptions options_;
  std::filesystem::path run_directory_;
  std::optional<CsvTable> table_;
  std::optional<CsvTable> measured_;  // From the first measurement on.
};

}  // namespace troupe
