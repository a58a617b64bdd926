#pragma once

#include <troupe/v1/run_state.pb.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Metric name to its latest value.
using MetricMap = std::map<std::string, double, std::less<>>;

/// What a run is, as the fold of its event log: the same events always give the same state. Cheap to copy (its tables
/// are shared until one side changes); a copy may be read on any thread.
class RunState {
 public:
  RunState();

  /// Applies one recorded fact. Pure: no clock, no I/O, no randomness. Throws CorruptionError if `event` is not the
  /// successor of the last one: its seq must be seq() + 1, or for a RunResumed its from_seq + 1.
  void apply(const Event& event);

  /// Last event applied; 0 for none.
  uint64_t seq() const { return seq_; }
  /// Which process of the run: 1, and one more with every resume.
  uint32_t incarnation() const { return incarnation_; }
  v1::RunStatus status() const { return status_; }
  /// Why the run ended, or the error that ended it; empty while it runs.
  const std::string& reason() const { return reason_; }
  /// What the run was to leave and has not (RunEnded.lost), one line each; empty while it runs.
  const std::vector<std::string>& lost() const { return *lost_; }
  /// What the Trainer was asked for.
  Stage run_stage() const { return run_stage_; }
  /// Of the last event.
  const Position& position() const { return position_; }
  /// Epoch of the fit that the last event belongs to, counted from 0.
  uint32_t epoch() const { return position_.epoch(); }
  /// Optimizer steps completed.
  uint64_t global_step() const { return position_.global_step(); }
  uint32_t epochs_completed() const { return epochs_completed_; }
  /// Validations completed, the sanity check not counted.
  uint64_t validations() const { return validations_; }
  bool sanity_checking() const { return position_.stage() == v1::STAGE_SANITY_CHECK; }

  /// Latest value of every logged metric, by name, as the callbacks saw them.
  const MetricMap& metrics() const { return *metrics_; }
  /// The metric or learning rate with this name.
  std::optional<double> metric(std::string_view name) const;
  /// Names of the metrics that were logged with prog_bar.
  const std::vector<std::string>& prog_bar_metrics() const { return *prog_bar_metrics_; }
  /// In the order of FitStarted.param_groups.
  const std::vector<v1::LearningRate>& learning_rates() const { return *learning_rates_; }
  /// Votes to stop that stand: sender to reason.
  const std::map<std::string, std::string>& votes() const { return *votes_; }
  /// Checkpoints in the order they were taken, with what became of each; those removed are left out.
  const std::vector<v1::CheckpointInfo>& checkpoints() const { return *checkpoints_; }
  /// Path of the newest checkpoint that was the best by its monitor when taken, of the first sender that said so, and
  /// of which no save failed; empty for none.
  std::string best_checkpoint() const;
  /// The facts of the fit, without its module table and with the momenta as it started with them or as last commanded
  /// (a schedule that cycles them is not followed); all zero before FitStarted.
  const v1::FitStarted& fit() const { return *fit_; }

  /// Batches per optimizer step, as last commanded or as the fit started; an open window keeps its length.
  uint32_t accumulate_grad_batches() const { return accumulate_grad_batches_; }
  /// Samples per training batch, as last commanded (in force from the next epoch on) or as the fit started; 0: unknown.
  uint32_t batch_size() const { return batch_size_; }
  /// Whether training waits for somebody to command Resume.
  bool paused() const { return paused_; }
  /// Parameters and prefixes that were frozen by command, by the names that were given, and not unfrozen since (by that
  /// name or one above it). Sorted.
  const std::vector<std::string>& frozen_parameters() const { return *frozen_parameters_; }

  v1::RunState to_proto() const;
  static RunState from_proto(const v1::RunState& proto);

  /// The state without what depends on host, speed and number of attempts (seq, incarnation, status, losses,
  /// checkpoints): two runs that are equal by the determinism contract have equal bytes here.
  std::string deterministic_bytes() const;

 private:
  void apply_run_event(const Event& event);
  void apply_checkpoint_event(const Event& event);
  void apply_command(const CommandApplied& applied);
  void apply_setting(const v1::Command& command);
  void set_frozen(const v1::SetFrozen& command);
  void set_fit(const v1::FitStarted& facts);
  void set_metrics(const google::protobuf::RepeatedPtrField<Metric>& metrics);
  void set_metric(const std::string& name, double value, bool prog_bar);
  void set_learning_rates(const google::protobuf::RepeatedField<double>& rates);
  v1::CheckpointInfo* find_checkpoint(const std::string& path);

  uint64_t seq_ = 0;
  uint32_t incarnation_ = 0;
  v1::RunStatus status_ = v1::RUN_STATUS_RUNNING;
  std::string reason_;
  Stage run_stage_ = v1::STAGE_NONE;
  Position position_;
  uint32_t epochs_completed_ = 0;
  uint64_t validations_ = 0;
  std::shared_ptr<MetricMap> metrics_;
  std::shared_ptr<std::vector<std::string>> prog_bar_metrics_;
  std::shared_ptr<std::vector<v1::LearningRate>> learning_rates_;
  std::shared_ptr<std::map<std::string, std::string>> votes_;
  std::shared_ptr<std::vector<v1::CheckpointInfo>> checkpoints_;
  std::shared_ptr<v1::FitStarted> fit_;
  uint32_t accumulate_grad_batches_ = 0;
  uint32_t batch_size_ = 0;
  bool paused_ = false;
  std::shared_ptr<std::vector<std::string>> frozen_parameters_;
  std::shared_ptr<std::vector<std::string>> lost_;
};

/// Whether the fit has validations.
inline bool validates(const v1::FitStarted& fit) {
  return fit.validation_batches() > 0 || fit.validation_ends_by_itself();
}

}  // namespace troupe
