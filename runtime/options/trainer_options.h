#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "troupe/runtime/options/count_or_fraction.h"
#include "troupe/runtime/options/options.h"
#include "troupe/runtime/options/validation_interval.h"

namespace troupe {

enum class GradientClipAlgorithm {
  kNorm,   ///< Scale all gradients so that their total 2-norm is at most gradient_clip_val.
  kValue,  ///< Clamp each element to [-gradient_clip_val, gradient_clip_val].
};

template <>
struct EnumNames<GradientClipAlgorithm> {
  static constexpr std::array<std::pair<GradientClipAlgorithm, std::string_view>, 2> kNames{
      {{GradientClipAlgorithm::kNorm, "norm"}, {GradientClipAlgorithm::kValue, "value"}}};
};

enum class Precision {
  k32,         ///< Everything in float32.
  kBf16Mixed,  ///< Steps compute in bfloat16 where LibTorch's autocast says so; parameters and gradients are float32.
};

template <>
struct EnumNames<Precision> {
  static constexpr std::array<std::pair<Precision, std::string_view>, 2> kNames{
      {{Precision::k32, "32"}, {Precision::kBf16Mixed, "bf16-mixed"}}};
};

/// What a Trainer is told. Names, meanings and defaults are Lightning's where Lightning has the option.
struct TrainerOptions {
  int64_t accumulate_grad_batches = 1;
  bool barebones = false;  ///< Nothing but the loop, for measuring: see effective(). log() of the module does nothing.
  std::optional<int64_t> check_val_every_n_epoch = 1;  ///< None: val_check_interval counts batches across epochs.
  double controller_deadline_s = 60;                   ///< How long the loop waits for a controller; inf: for ever.
  std::string default_root_dir = "runs";
  bool detect_anomaly = false;   ///< A backward pass that yields NaN is an error that names the batch. Slow.
  bool deterministic = false;    ///< Ask LibTorch for deterministic algorithms; an operation without one throws.
  std::string device = {};       ///< Where to move the module before a run: "cpu", "cuda", "cuda:1". Empty: nowhere.
  double drain_deadline_s = 30;  ///< How long the end of a run waits for observers.
  bool enable_checkpointing = true;  ///< Add a ModelCheckpoint if the user gave none.
  bool enable_model_summary = true;
  bool enable_progress_bar = true;
  int64_t fast_dev_run = 0;  ///< n: a trial of n batches in every stage, see effective(). 0: off.
  GradientClipAlgorithm gradient_clip_algorithm = GradientClipAlgorithm::kNorm;
  std::optional<double> gradient_clip_val = {};
  bool handle_signals = true;  ///< SIGINT and SIGTERM stop the run at the next batch with a checkpoint.
  /// The limit in force: max_epochs; unset it is 1000 when nothing else ends the run, else none (-1). `has_time_limit`:
  /// a Timer is among the callbacks; max_time is taken into account anyway.
  int64_t resolved_max_epochs(bool has_time_limit = false) const;
  CountOrFraction limit_predict_batches = 1.0;
  CountOrFraction limit_test_batches = 1.0;
  CountOrFraction limit_train_batches =
      1.0;  ///< Per epoch. Count 0 or fraction 0.0: the stage is off, its loader is not asked for.
  CountOrFraction limit_val_batches = 1.0;
  int64_t log_every_n_steps = 50;            ///< 0: step metrics are never handed to loggers.
  int64_t log_segment_bytes = 256 << 20;     ///< A segment of the event log that has reached this size is closed.
  std::optional<int64_t> max_epochs = {};    ///< -1: no limit. Unset: see resolved_max_epochs().
  int64_t max_steps = -1;                    ///< Optimizer steps; -1: no limit.
  std::optional<std::string> max_time = {};  ///< "DD:HH:MM:SS": adds a Timer; none may be given. Minima win over it.
  std::optional<int64_t> min_epochs = {};  ///< Votes to stop wait for this many. Unset: 1 if min_steps is set, else 0.
  std::optional<int64_t> min_steps = {};   ///< Votes to stop wait for this many optimizer steps.
  std::string name = "troupe";
  int64_t num_sanity_val_steps = 2;  ///< Validation batches before training; -1: all, 0: none.
  int num_threads =
      1;  ///< LibTorch's intra-op threads. Part of the determinism contract: results differ bitwise between counts.
  CountOrFraction overfit_batches = 0.0;  ///< Train and validate on so many batches, unshuffled; 0, 0.0: off.
  Precision precision = Precision::k32;
  std::string run_dir = {};  ///< The run directory itself. Empty: default_root_dir/name/<run id>.
  uint64_t seed = 0;
  bool tune_allocator = true;                   ///< Keep the memory of a step for the next one: see allocator.h.
  ValidationInterval val_check_interval = 1.0;  ///< See validation_interval.h.

  void describe(OptionVisitor& visit);
  /// Throws ConfigError for options that contradict each other, and says why.
  void validate() const;
  int64_t resolved_min_epochs() const;
  /// The options that the loop goes by: with fast_dev_run = n, n batches in each stage, one epoch, one validation at
  /// its end, no sanity check, no minima, no default checkpoint. overfit_batches becomes the limits of training and
  /// validation. With barebones: no default callbacks, no sanity check, no step metrics for loggers. The same as this
  /// otherwise. Idempotent.
  TrainerOptions effective() const;
};

}  // namespace troupe
