#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "troupe/callbacks/guarding/bad_batches.h"
#include "troupe/callbacks/guarding/spike_window.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/options/mode.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

enum class SpikeAction {
  kReport,  ///< Only tell.
  kStop,    ///< Also vote to stop the run.
};

template <>
struct EnumNames<SpikeAction> {
  static constexpr std::array<std::pair<SpikeAction, std::string_view>, 2> kNames{
      {{SpikeAction::kReport, "report"}, {SpikeAction::kStop, "stop"}}};
};

struct SpikeDetectionOptions {
  SpikeAction action = SpikeAction::kStop;    ///< What a spike brings on, besides the event and the file.
  std::optional<double> atol = std::nullopt;  ///< A spike is at least this far from the statistic. Unset: any distance.
  /// File of the bad batches, as JSON; relative to the run directory. Empty: none.
  std::string exclude_batches_path = "skip_batches.json";
  bool finite_only = true;           ///< NaN and infinities are spikes. Off: they are passed over.
  Mode mode = Mode::kMin;            ///< Whether smaller or larger is better: spikes go to the worse side.
  std::string monitor = {};          ///< Metric to watch, logged with on_step. Required.
  std::optional<double> rtol = 2.0;  ///< With the mean: at least so many times the mean away. Unset: any distance.
  SpikeStatistic statistic = SpikeStatistic::kMean;  ///< What values are compared with.
  double threshold = 10.0;  ///< With the median: at least so many median absolute deviations away.
  int64_t warmup = 1;       ///< Values of the metric before the first that may be a spike.
  int64_t window = 10;      ///< Values that the statistic is of.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Looks at a metric after every training batch that logged it, and tells when it jumps to the worse: then the batch
/// and the one before it, which may have spoilt the weights, are bad. It emits "SpikeDetected" (a UserEvent of named
/// values: batch_index, center, epoch, monitor, step, value), writes the bad batches to a file, and votes to stop, or
/// not. The vote stands; on resume it is cast afresh where the restored state has a spike.
///
/// A value is a spike when `warmup` values came before it and it is not finite, or it is worse than the last good value
/// and lies on the worse side of the statistic of the last `window` good values by at least `atol` and
///  - mean: at least `rtol` times the mean's magnitude;
///  - median: at least `threshold` median absolute deviations. Where these are 0, the values tell no scale, and only
///    `atol` decides: without it nothing is a spike.
/// Spikes and values that are not finite never enter the statistic. As many spikes in a row as the window holds are a
/// new level rather than spikes: with finite values the window then starts anew at the last of them.
///
/// The rule is that of Lightning's SpikeDetection, which also takes jumps to the better side of the mean for spikes,
/// counts `warmup` anew in every epoch, stops by an exception, and cannot load its state. Nothing happens in a
/// fast_dev_run.
class SpikeDetection {
 public:
  /// Only a spike makes its hook wait: for a small file.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Throws ConfigError for options that make no sense.
  explicit SpikeDetection(SpikeDetectionOptions options);

  /// Where relative paths start. Called before anything else; the working directory if not.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }
  /// Throws IoError when the file's folder cannot be made or written.
  void prepare_files(Stage stage);

  /// Throws IoError when the file cannot be written.
  void on(const TrainBatchEnded& event, Control& control);
  /// Throws ConfigError when no batch of the epochs so far has logged the metric.
  void on(const TrainEpochEnded& event, Control& control);
  void on(const RunResumed& event, Control& control);

  StateDict state_dict() const;
  /// The file is written again, as it was at the checkpoint. Throws IoError.
  void load_state_dict(const StateDict& state);
  std::string state_key() const;

  const BadBatches& bad_batches() const { return bad_batches_; }

 private:
  std::filesystem::path file_path() const { return run_directory_ / options_.exclude_batches_path; }
  /// Counts the value.
  bool is_spike(double value);
  bool is_far(double value) const;
  void take_good_value(double value);
  void report(const BadBatch& batch, Control& control);
  void write_file() const;

  SpikeDetectionOptions options_;
  std::filesystem::path run_directory_;
  SpikeWindow window_;
  int64_t values_seen_ = 0;  // Values of the metric so far, good or not.
  int64_t spikes_in_a_row_ = 0;
  std::optional<BadBatch> last_batch_;
  BadBatches bad_batches_;
  std::string reason_;  // Of the last spike; empty: none so far.
};

}  // namespace troupe
