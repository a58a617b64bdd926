#include "runtime/trainer_options.h"

#include "runtime/error.h"

namespace troupe {

void TrainerOptions::describe(OptionVisitor& visit) {
  visit("max_epochs", max_epochs, "Epochs to train; -1: no limit; none: 1000 unless max_steps or a Timer ends the run.")
      .at_least(-1);
  visit("min_epochs", min_epochs, "Votes to stop wait for this many epochs.").at_least(0);
  visit("max_steps", max_steps, "Optimizer steps to train; -1: no limit.").at_least(-1);
  visit("min_steps", min_steps, "Votes to stop wait for this many optimizer steps.").at_least(0);
  visit("limit_train_batches", limit_train_batches,
        "Training batches per epoch, as a count or as a fraction of the loader.");
  visit("limit_val_batches", limit_val_batches, "Validation batches, likewise; 0 turns validation off.");
  visit("limit_test_batches", limit_test_batches, "Test batches, likewise.");
  visit("limit_predict_batches", limit_predict_batches, "Prediction batches, likewise.");
  visit("val_check_interval", val_check_interval, "Validate after this fraction of an epoch, or every so many batches.")
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
  visit("handle_signals", handle_signals, "SIGINT and SIGTERM stop the run at the next batch with a checkpoint.");
}

void TrainerOptions::validate() const {
  if (!check_val_every_n_epoch && !val_check_interval.is_count()) {
    throw ConfigError("'val_check_interval' is the fraction " + val_check_interval.to_string() +
                      ", but without 'check_val_every_n_epoch' it counts batches across epochs: make it an integer");
  }
  if (max_epochs && *max_epochs != -1 && min_epochs.value_or(0) > *max_epochs) {
    throw ConfigError("'min_epochs' is " + std::to_string(*min_epochs) + ", but the run ends at 'max_epochs' " +
                      std::to_string(*max_epochs));
  }
  if (max_steps != -1 && min_steps.value_or(0) > max_steps) {
    throw ConfigError("'min_steps' is " + std::to_string(*min_steps) + ", but the run ends at 'max_steps' " +
                      std::to_string(max_steps));
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
  return max_epochs.value_or(max_steps != -1 || has_time_limit ? -1 : kDefaultMaxEpochs);
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
  return options;
}

}  // namespace troupe
