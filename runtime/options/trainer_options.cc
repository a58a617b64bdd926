#include "troupe/runtime/options/trainer_options.h"

#include "troupe/runtime/base/duration.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

void require(bool holds, const std::string& reason) {
  if (!holds) {
    throw ConfigError(reason);
  }
}

/// Only what differs from its default can be told from what was not given.
void check_barebones(const TrainerOptions& options) {
  const TrainerOptions defaults;
  const auto refuse = [](bool given, const char* option) {
    require(!given, std::string("'barebones' leaves out everything but the loop, so '") + option +
                        "' cannot be given with it: leave one of them out");
  };
  refuse(options.fast_dev_run > 0, "fast_dev_run");
  refuse(options.detect_anomaly, "detect_anomaly");
  const auto sanity_steps = options.num_sanity_val_steps;
  refuse(sanity_steps != 0 && sanity_steps != defaults.num_sanity_val_steps, "num_sanity_val_steps");
  const auto every = options.log_every_n_steps;
  refuse(every != 0 && every != defaults.log_every_n_steps, "log_every_n_steps");
}

void check_validation_rhythm(const TrainerOptions& options) {
  const auto& interval = options.val_check_interval;
  require(options.check_val_every_n_epoch || !interval.is_fraction(),
          "'val_check_interval' is the fraction " + interval.to_string() +
              ", but without 'check_val_every_n_epoch' it counts batches across epochs: make it an integer");
}

void check_limits(const TrainerOptions& options) {
  const auto max_epochs = options.max_epochs.value_or(-1);
  require(max_epochs == -1 || options.min_epochs.value_or(0) <= max_epochs,
          "'min_epochs' is " + std::to_string(options.min_epochs.value_or(0)) + ", but the run ends at 'max_epochs' " +
              std::to_string(max_epochs));
  require(options.max_steps == -1 || options.min_steps.value_or(0) <= options.max_steps,
          "'min_steps' is " + std::to_string(options.min_steps.value_or(0)) + ", but the run ends at 'max_steps' " +
              std::to_string(options.max_steps));
  require(!options.max_time || parse_duration_s(*options.max_time),
          "'max_time' must be a duration \"DD:HH:MM:SS\", got \"" + options.max_time.value_or("") + "\"");
  if (options.overfit_batches.value() > 0) {
    require(options.fast_dev_run == 0,
            "'overfit_batches' and 'fast_dev_run' both say how many batches to train on: leave one of them out");
    const TrainerOptions defaults;
    const auto refuse = [](bool given, const char* option) {
      require(!given, std::string("'overfit_batches' is the limit of training and of validation, so '") + option +
                          "' cannot be given with it: leave one of them out");
    };
    refuse(options.limit_train_batches != defaults.limit_train_batches, "limit_train_batches");
    refuse(options.limit_val_batches != defaults.limit_val_batches, "limit_val_batches");
  }
}

}  // namespace

void TrainerOptions::describe(OptionVisitor& visit) {
  visit("max_epochs", max_epochs, "Epochs to train; -1: no limit; none: 1000 unless max_steps or a Timer ends the run.")
      .at_least(-1);
  visit("min_epochs", min_epochs, "Votes to stop wait for this many epochs.").at_least(0);
  visit("max_steps", max_steps, "Optimizer steps to train; -1: no limit.").at_least(-1);
  visit("min_steps", min_steps, "Votes to stop wait for this many optimizer steps.").at_least(0);
  visit("max_time", max_time, "Time to train, \"DD:HH:MM:SS\": adds a Timer, so none may be given; the minima win.");
  visit("limit_train_batches", limit_train_batches,
        "Training batches per epoch, as a count or as a fraction of the loader.");
  visit("limit_val_batches", limit_val_batches, "Validation batches, likewise; 0 turns validation off.");
  visit("limit_test_batches", limit_test_batches, "Test batches, likewise.");
  visit("limit_predict_batches", limit_predict_batches, "Prediction batches, likewise.");
  visit("overfit_batches", overfit_batches,
        "Train and validate on this many batches, or this fraction, in the dataset's order; 0: off.");
  visit("val_check_interval", val_check_interval,
        "Validate after this fraction of an epoch, every so many batches, or when this much time has passed.")
      .greater_than(0);
  visit("check_val_every_n_epoch", check_val_every_n_epoch,
        "Validate in every n-th epoch; none: val_check_interval counts batches across epochs.")
      .at_least(1);
  visit("num_sanity_val_steps", num_sanity_val_steps, "Validation batches to try before training; -1: all.")
      .at_least(-1);
  visit("accumulate_grad_batches", accumulate_grad_batches, "Batches per optimizer step.").at_least(1);
  visit("gradient_clip_val", gradient_clip_val, "Clip gradients to this before each step; none: off.").greater_than(0);
  visit("gradient_clip_algorithm", gradient_clip_algorithm, "Clip the total norm, or each element.");
  visit("log_every_n_steps", log_every_n_steps, "Hand step metrics to loggers every n optimizer steps; 0: never.")
      .at_least(0);
  visit("fast_dev_run", fast_dev_run, "Try n batches of every stage and save nothing; true: 1; 0: off.")
      .at_least(0)
      .accept_bool();
  visit("enable_checkpointing", enable_checkpointing, "Add a ModelCheckpoint if none is given.");
  visit("enable_progress_bar", enable_progress_bar, "Add a progress bar if none is given.");
  visit("enable_model_summary", enable_model_summary, "Print a table of the modules.");
  visit("barebones", barebones, "Only the loop: no default callback, no sanity check, no metrics; for measuring.");
  visit("device", device, "Where to compute: cpu, cuda, cuda:1; empty: where the module is.");
  visit("precision", precision, "Steps in float32, or in bfloat16 where autocast allows it.");
  visit("detect_anomaly", detect_anomaly, "A backward pass that gives NaN is an error that names the batch; slow.");
  visit("deterministic", deterministic, "Use deterministic algorithms only.");
  visit("seed", seed, "Seed of every random number generator.");
  visit("num_threads", num_threads, "LibTorch's intra-op threads; results differ bitwise between counts.").at_least(1);
  visit("default_root_dir", default_root_dir, "Where run directories go.");
  visit("name", name, "Name of the experiment: a folder under default_root_dir.");
  visit("run_dir", run_dir, "The run directory itself; empty: default_root_dir/name/<run id>.");
  visit("controller_deadline_s", controller_deadline_s, "Seconds to wait for a callback's decision; inf: for ever.")
      .greater_than(0);
  visit("drain_deadline_s", drain_deadline_s, "Seconds that the end of a run waits for callbacks that only look.")
      .at_least(0);
  visit("log_segment_bytes", log_segment_bytes,
        "Size at which a segment of the event log is closed and the next one started.")
      .at_least(4096);
  visit("tune_allocator", tune_allocator,
        "Let the C library keep the memory that a step frees; what the environment sets (MALLOC_...) wins.");
  visit("handle_signals", handle_signals, "SIGINT and SIGTERM stop the run at the next batch with a checkpoint.");
}

void TrainerOptions::validate() const {
  check_limits(*this);
  check_validation_rhythm(*this);
  if (barebones) {
    check_barebones(*this);
  }
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    throw ConfigError("'name' is one folder under 'default_root_dir', got \"" + name + "\"");
  }
  if (default_root_dir.empty() && run_dir.empty()) {
    throw ConfigError("'default_root_dir' and 'run_dir' are both empty: there is no place for the run");
  }
}

int64_t TrainerOptions::resolved_max_epochs(bool has_time_limit) const {
  constexpr int64_t kDefaultMaxEpochs = 1000;
  return max_epochs.value_or(max_steps != -1 || max_time || has_time_limit ? -1 : kDefaultMaxEpochs);
}

int64_t TrainerOptions::resolved_min_epochs() const {
  return min_epochs.value_or(min_steps ? 1 : 0);
}

TrainerOptions TrainerOptions::effective() const {
  TrainerOptions options = *this;
  if (fast_dev_run > 0) {
    for (auto* limit : {&options.limit_train_batches, &options.limit_val_batches, &options.limit_test_batches,
                        &options.limit_predict_batches}) {
      *limit = fast_dev_run;
    }
    options.max_epochs = 1;
    options.max_steps = fast_dev_run;
    options.min_epochs.reset();
    options.min_steps.reset();
    options.val_check_interval = 1.0;
    options.check_val_every_n_epoch = 1;
    options.num_sanity_val_steps = 0;
    options.enable_checkpointing = false;
  }
  if (overfit_batches.value() > 0) {
    options.limit_train_batches = overfit_batches;
    options.limit_val_batches = overfit_batches;
  }
  if (barebones) {
    options.num_sanity_val_steps = 0;
    options.log_every_n_steps = 0;
    options.enable_checkpointing = false;
    options.enable_progress_bar = false;
    options.enable_model_summary = false;
  }
  return options;
}

}  // namespace troupe
