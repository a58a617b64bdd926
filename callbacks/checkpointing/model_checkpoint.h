#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "troupe/callbacks/checkpointing/checkpoint_name.h"
#include "troupe/callbacks/checkpointing/top_k.h"
#include "troupe/callbacks/common/monitor.h"
#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

struct ModelCheckpointOptions {
  bool auto_insert_metric_name = true;  ///< "epoch=3" rather than "3".
  std::string dirpath = "checkpoints";  ///< Relative to the run directory, or absolute.
  bool enable_version_counter = true;   ///< "-v1" for a name that it still keeps; else the file is overwritten.
  std::optional<int64_t> every_n_epochs = std::nullopt;  ///< 0: never. Unset: 1 without another trigger, else 0.
  int64_t every_n_train_steps = 0;                       ///< Optimizer steps between saves; 0: not by steps.
  std::string filename = {};                             ///< Template, see CheckpointName; empty: "{epoch}-{step}".
  Mode mode = Mode::kMin;                                ///< Whether smaller or larger is better.
  std::string monitor = {};  ///< Metric that ranks the checkpoints; empty: the newest is the best.
  bool save_last = false;    ///< After each save also last.ckpt.
  std::optional<bool> save_on_train_epoch_end = std::nullopt;  ///< Where to save; unset: see ModelCheckpoint.
  int64_t save_top_k = 1;                                      ///< Checkpoints kept; -1: all, 0: none.
  bool save_weights_only = false;                              ///< Such a checkpoint cannot be resumed from.
  std::string train_time_interval = {};  ///< Time between saves, "DD:HH:MM:SS"; empty: not by time.

  void describe(OptionVisitor& visit);
  void validate() const;
};

/// Saves checkpoints and keeps the best. By default it saves at the end of the training epoch where validation runs
/// once an epoch or never, else after each validation; with every_n_train_steps or train_time_interval after batches,
/// or, if the metric that ranks them is still missing there or is about to be measured anew, after the validation that
/// follows. One of the three triggers is in force. Names are "<dirpath>/epoch=0-step=10.ckpt": epochs count from 0,
/// steps are optimizer steps completed. The new file is asked for before the one that it drives out is removed.
///
/// Rules are Lightning's: a value enters the best k when there are fewer, or when it is strictly better than the worst
/// of them; NaN ranks as the worst; nothing is saved in a sanity check, a fast_dev_run, outside a fit, or twice at one
/// step. They differ where a decision must replay: names in use are those that it has issued and still keeps, not the
/// files on disk, and the file that a run resumed from may be driven out like any other.
///
/// It is asked after those batches alone that its trigger names, so the other steps do not wait for it.
///
/// A save that fails changes none of its decisions, and no state: equal runs decide alike on whatever disks
/// (docs/adr/0014-saves-that-fail.md). What it says of its models to people, though, names no file whose save failed.
class ModelCheckpoint {
 public:
  /// Nothing in its hooks waits for anything.
  static constexpr CallbackPolicy kPolicy{.prompt = true};

  /// Throws ConfigError for a bad template, or options that make no sense together.
  explicit ModelCheckpoint(ModelCheckpointOptions options = {});

  /// Where relative paths start. Called before anything else.
  void set_run_directory(const std::filesystem::path& run_directory) { run_directory_ = run_directory; }
  /// Before a fit: makes the folder and tries it. Throws IoError when nothing can be written there, and ConfigError
  /// when the names of the files are too long for it whatever the metrics are; both name the folder.
  void prepare_files(Stage stage);

  /// Throw ConfigError when `monitor` is missing though validation has run (before, a warning says so once), or when a
  /// metric of the file name is missing.
  void on(const TrainBatchEnded& event, Control& control);
  void on(const TrainEpochEnded& event, Control& control);
  void on(const ValidationEnded& event, Control& control);
  /// Saves last.ckpt when save_last is set and nothing was saved before.
  void on(const TrainEnded& event, Control& control);
  // What the disk says is only passed on.
  void on(const RunResumed& event, const RunState& run);
  void on(const CheckpointSaved& event, const RunState& run);
  void on(const CheckpointFailed& event, const RunState& run);

  std::vector<AskWhen> ask_when() const;
  StateDict state_dict() const;
  /// Restores everything when `dirpath` is as saved, else (with a warning) best_model_path alone.
  void load_state_dict(const StateDict& state);
  /// Lightning's, with `dirpath` and `filename` where they are not the defaults: they tell two of them apart.
  std::string state_key() const;
  /// Whether it is the key of a ModelCheckpoint that differs in `dirpath` and `filename` alone, or was saved by Troupe
  /// 0.1 before they were in the key.
  bool takes_state_of(const std::string& state_key) const;

  /// If its save failed, the best of those that were written; empty for none. Likewise the score.
  const std::string& best_model_path() const { return best_failed() ? written_.best_path : best_model_path_; }
  std::optional<double> best_model_score() const { return best_failed() ? written_.best_score : best_model_score_; }
  /// Empty if its save failed.
  std::string last_model_path() const { return written_.failed.contains(last_model_path_) ? "" : last_model_path_; }
  /// Paths and scores of the best, in the order saved; empty without a monitor. Those whose save failed are left out.
  std::vector<TopK::Model> best_k_models() const;

 private:
  bool applies_to(const RunState& run) const;
  bool saves_on_train_epoch_end(const RunState& run) const;
  bool is_due_after_batch(const Control& control) const;
  bool waits_for_validation(const TrainBatchEnded& ended, const RunState& run) const;
  void end_of_epoch(Control& control);
  void save_here(Control& control);
  bool save_top_k(Control& control);
  bool save_newest(Control& control);
  bool save_if_among_best(double score, Control& control);
  void save_last(Control& control);

  /// The state key as Lightning has it, without its end.
  std::string start_of_state_key() const;
  void report_missing_monitor(const RunState& run);

  bool best_failed() const { return written_.failed.contains(best_model_path_); }
  void note_written(const RunState& run);
  void require_short_names(const std::filesystem::path& folder) const;

  /// A free path for the template's present name. `reusable` is not in the way.
  std::string next_path(const RunState& run, const std::string& reusable) const;
  std::string versioned_path(const std::string& name, const std::string& reusable) const;
  void save(const std::string& path, bool best, Control& control);
  void remove(const std::string& path, Control& control);

  /// What became of the files: only for those who ask where they are.
  struct Written {
    std::set<std::string> failed = {};  // Paths whose last save failed.
    std::string best_path = {};         // Of those that were written.
    std::optional<double> best_score = std::nullopt;
  };

  ModelCheckpointOptions options_;
  std::filesystem::path run_directory_;
  std::string dirpath_;
  CheckpointName name_;
  int64_t every_n_epochs_;
  uint64_t interval_us_ = 0;  // 0: not by time.
  bool warned_ = false;

  std::optional<double> current_score_;
  std::string best_model_path_;
  std::optional<double> best_model_score_;
  TopK top_k_;
  std::string kth_best_model_path_;
  double kth_value_;
  std::string last_model_path_;
  std::set<std::string> kept_paths_;  // Asked for and not removed since.
  uint64_t last_global_step_saved_ = 0;
  uint64_t last_due_us_ = 0;    // When the time interval was over last.
  bool save_deferred_ = false;  // To the next validation's end.
  Written written_;
};

}  // namespace troupe
