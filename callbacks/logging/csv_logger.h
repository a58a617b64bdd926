#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "troupe/callbacks/logging/csv_table.h"
#include "troupe/callbacks/logging/metric_points.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
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
/// A resumed run goes on where its checkpoint was: what was written later is cut off. Two loggers need two paths.
class CSVLogger : public MetricPoints<CSVLogger> {
 public:
  explicit CSVLogger(CSVLoggerOptions options = {});

  /// Where relative paths start. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }

  /// Before a run that it logs: makes the folder, and an empty file where there is none. Throws IoError when the file
  /// cannot be made or written.
  void prepare_files(Stage stage);

  // All throw IoError when the file cannot be made or written.
  void on(const FitStarted& event);
  void on(const RunResumed& event);
  using MetricPoints::on;

  /// What is written is durable when it returns.
  StateDict state_dict() const;
  /// Cuts the file back; a warning on standard error says so when rows are missing from it.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

 private:
  friend class MetricPoints<CSVLogger>;

  std::filesystem::path file_path() const { return run_directory_ / options_.path; }
  /// The table, opened: an old file is cut to what the state says, so to nothing where a run starts.
  CsvTable& table();
  void log(const MetricList& metrics, const RunState& run);

  CSVLoggerOptions options_;
  std::filesystem::path run_directory_;
  std::optional<CsvTable> table_;
};

}  // namespace troupe
