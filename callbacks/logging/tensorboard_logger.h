#pragma once

#include <troupe/v1/measured.pb.h>

#include <filesystem>
#include <memory>
#include <string>

#include "troupe/callbacks/logging/metric_points.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/interchange/tensorboard_writer.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct TensorBoardLoggerOptions {
  std::string path = "tensorboard";  ///< The folder; relative to the run directory, or absolute.

  void describe(OptionVisitor& visit);
};

/// Writes a run for TensorBoard: as scalars the metrics at each of the MetricPoints and what observers measured, the
/// histograms, images and texts that the module logs, and the trainer's options as hyperparameters. The step of a value
/// is the number of optimizer steps completed, its time the run's own. What has come is in the file, so TensorBoard
/// shows it while the run goes on.
///
/// A resumed run goes on where its checkpoint was: what was written later is cut off. Two loggers need two folders.
class TensorBoardLogger : public MetricPoints<TensorBoardLogger> {
 public:
  using UserEvents = UserEventTypes<v1::Measured>;

  explicit TensorBoardLogger(TensorBoardLoggerOptions options = {});

  /// Where a relative path starts. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }

  /// Before a run that it logs: makes the folder, and empty files where there are none. Throws IoError when the files
  /// cannot be made or written.
  void prepare_files(Stage stage);

  /// Takes every event, since it needs their time. Throws IoError when the files cannot be made or written.
  void on(const Event& event, const RunState& run);
  void on(const v1::Measured& measured, const RunState& run);

  /// What is written is durable when it returns.
  StateDict state_dict() const;
  /// Cuts the file back; a warning on standard error says so when a part of it is missing.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

 private:
  friend class MetricPoints<TensorBoardLogger>;

  /// TensorBoard reads the files of a folder in the order of their names, and watches the last one.
  std::filesystem::path hyperparameters_path() const { return folder() / "events.out.tfevents.0.hyperparameters"; }
  std::filesystem::path values_path() const { return folder() / "events.out.tfevents.1.values"; }
  std::filesystem::path folder() const { return run_directory_ / options_.path; }
  /// The file of values, opened: begun anew where a run starts.
  TensorBoardWriter& writer();
  /// A run, or another process of it, begins.
  void begin(int64_t started_at_unix_us, const Event& event, const std::string& config_json, bool fit);
  void end(v1::RunStatus status);
  void log(const MetricList& metrics, const RunState& run);
  void log_media(const Event& event);
  double wall_time_s() const;

  TensorBoardLoggerOptions options_;
  std::filesystem::path run_directory_;
  std::shared_ptr<TensorBoardWriter> writer_;  // Shared, so that a copy of a logger that has not written can be made.
  int64_t clock_zero_unix_us_ = 0;             // When the run's own time was 0, as far as this process goes.
  uint64_t elapsed_us_ = 0;                    // Of the event that came last.
};

}  // namespace troupe
