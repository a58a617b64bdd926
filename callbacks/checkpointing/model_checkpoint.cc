#include "troupe/callbacks/checkpointing/model_checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/duration.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"

namespace troupe {
namespace {

constexpr const char* kExtension = ".ckpt";
constexpr const char* kLastName = "last";
constexpr const char* kDefaultFilename = "{epoch}-{step}";
constexpr const char* kDirpathInKey = ", 'dirpath': ";
constexpr const char* kFilenameInKey = ", 'filename': ";

/// Without "." and a slash at the end; the run directory itself is empty.
std::string normal_dirpath(const std::string& dirpath) {
  std::string normal = std::filesystem::path(dirpath).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') {
    normal.pop_back();
  }
  return normal == "." ? "" : normal;
}

/// A metric, learning rate, or the position as `epoch` and `step`, which the module may override.
std::optional<CheckpointName::Value> value_of(const RunState& run, const std::string& name) {
  const auto metric = run.metric(name);
  if (name == "epoch") {
    return CheckpointName::Value{metric ? std::trunc(*metric) : run.epoch(), true};
  }
  if (name == "step") {
    return CheckpointName::Value{metric ? std::trunc(*metric) : static_cast<double>(run.global_step()), true};
  }
  return metric ? std::optional(CheckpointName::Value{*metric, false}) : std::nullopt;
}

void set_optional(StateDict& state, std::string_view name, std::optional<double> value) {
  value ? state.set(name, *value) : state.set_none(name);
}

std::optional<double> get_optional(const StateDict& state, std::string_view name) {
  return state.is_none(name) ? std::nullopt : std::optional(state.get_double(name));
}

}  // namespace

void ModelCheckpointOptions::describe(OptionVisitor& visit) {
  visit("dirpath", dirpath, "Where to save; relative to the run directory.").required();
  visit("filename", filename, "Template such as \"{epoch}-{val_loss:.2f}\"; empty: \"{epoch}-{step}\".");
  visit("monitor", monitor, "Metric that ranks the checkpoints; empty: the newest is the best.");
  visit("mode", mode, "Whether smaller or larger is better.");
  visit("save_top_k", save_top_k, "Checkpoints kept; -1: all, 0: none.").at_least(-1);
  visit("save_last", save_last, "After each save also last.ckpt.");
  visit("every_n_epochs", every_n_epochs, "Epochs between saves; 0: never; none: 1 without another trigger, else 0.")
      .at_least(0);
  visit("every_n_train_steps", every_n_train_steps, "Optimizer steps between saves; 0: not by steps.").at_least(0);
  visit("train_time_interval", train_time_interval, "Time between saves, \"DD:HH:MM:SS\"; empty: not by time.");
  visit("auto_insert_metric_name", auto_insert_metric_name, "Name a field's metric in the file name.");
  visit("save_weights_only", save_weights_only, "Leave out what a resume needs.");
  visit("save_on_train_epoch_end", save_on_train_epoch_end,
        "Save at the end of the training epoch (true) or of the validation (false); none: where validation tells.");
  visit("enable_version_counter", enable_version_counter, "Add -v1, -v2, ... to a name in use rather than overwrite.");
}

void ModelCheckpointOptions::validate() const {
  if (monitor.empty() && save_top_k > 1) {
    throw ConfigError("'save_top_k': without a 'monitor' it must be -1, 0 or 1, got " + std::to_string(save_top_k));
  }
  if (!train_time_interval.empty() && parse_duration_s(train_time_interval).value_or(0) <= 0) {
    throw ConfigError("'train_time_interval' must be \"DD:HH:MM:SS\" and not 0, got \"" + train_time_interval + "\"");
  }
  const int triggers =
      int{every_n_epochs.value_or(0) > 0} + int{every_n_train_steps > 0} + int{!train_time_interval.empty()};
  if (triggers > 1) {
    throw ConfigError("'every_n_epochs', 'every_n_train_steps' and 'train_time_interval' exclude each other");
  }
}

ModelCheckpoint::ModelCheckpoint(ModelCheckpointOptions options)
    : options_(std::move(options)),
      dirpath_(normal_dirpath(options_.dirpath)),
      name_(options_.filename.empty() ? kDefaultFilename : options_.filename, options_.auto_insert_metric_name),
      every_n_epochs_(options_.every_n_epochs.value_or(
          options_.every_n_train_steps > 0 || !options_.train_time_interval.empty() ? 0 : 1)),
      top_k_(options_.mode, options_.save_top_k),
      kth_value_(worst_score(options_.mode)) {
  check_options("ModelCheckpoint", options_);
  if (!options_.train_time_interval.empty()) {
    constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;
    interval_us_ = static_cast<uint64_t>(*parse_duration_s(options_.train_time_interval)) * kMicrosecondsPerSecond;
  }
}

std::vector<AskWhen> ModelCheckpoint::ask_when() const {
  AskPeriods after_batches{.after_s = std::numeric_limits<double>::infinity()};  // Never.
  if (options_.every_n_train_steps > 0) {
    after_batches = {.every_n_steps = options_.every_n_train_steps};
  } else if (interval_us_ > 0) {
    after_batches = {.every_s = static_cast<double>(interval_us_) / 1e6};
  }
  return {troupe::ask_when<TrainBatchEnded>(after_batches)};
}

void ModelCheckpoint::prepare_files(Stage stage) {
  if (stage != v1::STAGE_FIT || (options_.save_top_k == 0 && !options_.save_last)) {
    return;
  }
  const auto folder = run_directory_ / dirpath_;
  try {
    require_writable_folder(folder);
  } catch (const IoError& error) {
    throw IoError("ModelCheckpoint: cannot save in 'dirpath' " + folder.string() + ": " + error.what() +
                  "; it must be a folder, or can be made one, in which this user may write");
  }
  if (options_.save_top_k != 0) {
    require_short_names(folder);
  }
}

/// Fails where no values of the metrics give a name that the file system takes.
void ModelCheckpoint::require_short_names(const std::filesystem::path& folder) const {
  const std::filesystem::path file = temporary_name(folder / (name_.shortest() + kExtension));
  const long bytes_max = ::pathconf(folder.c_str(), _PC_NAME_MAX);
  for (const auto& part : file.lexically_relative(folder)) {
    const size_t bytes = part.string().size();
    if (bytes_max > 0 && bytes > static_cast<size_t>(bytes_max)) {
      throw ConfigError("ModelCheckpoint: 'filename' gives names in " + folder.string() + " of " +
                        std::to_string(bytes) +
                        " bytes or more, with what is added while a file is written; its file "
                        "system takes " +
                        std::to_string(bytes_max) + ": " + part.string());
    }
  }
}

bool ModelCheckpoint::applies_to(const RunState& run) const {
  return run.run_stage() == v1::STAGE_FIT && !run.sanity_checking() && !run.fit().fast_dev_run() &&
         run.global_step() != last_global_step_saved_;
}

bool ModelCheckpoint::saves_on_train_epoch_end(const RunState& run) const {
  return options_.save_on_train_epoch_end.value_or(run.fit().validates_at_epoch_end() || !validates(run.fit()));
}

bool ModelCheckpoint::is_due_after_batch(const Control& control) const {
  if (options_.every_n_train_steps > 0) {
    return control.run().global_step() % static_cast<uint64_t>(options_.every_n_train_steps) == 0;
  }
  return interval_us_ > 0 && control.elapsed_us() - last_due_us_ >= interval_us_;
}

/// Whether the score to rank by comes, or comes anew, with a validation after this batch.
bool ModelCheckpoint::waits_for_validation(const TrainBatchEnded& ended, const RunState& run) const {
  if (options_.monitor.empty() || !validates(run.fit())) {
    return false;
  }
  const bool missing = !value_of(run, options_.monitor) && run.validations() == 0;
  const bool last_batch =
      ended.last_of_epoch() || uint64_t{run.position().batch_index()} + 1 == run.fit().train_batches();
  return missing || (last_batch && !saves_on_train_epoch_end(run));
}

void ModelCheckpoint::on(const TrainBatchEnded& event, Control& control) {
  if (!is_due_after_batch(control)) {
    return;
  }
  if (interval_us_ > 0) {  // Otherwise equal runs would differ in what nobody reads.
    last_due_us_ = control.elapsed_us();
  }
  if (!applies_to(control.run())) {
    return;
  }
  save_deferred_ = waits_for_validation(event, control.run());
  if (!save_deferred_) {
    save_here(control);
  }
}

void ModelCheckpoint::on(const TrainEpochEnded&, Control& control) {
  if (saves_on_train_epoch_end(control.run())) {
    end_of_epoch(control);
  }
}

void ModelCheckpoint::on(const ValidationEnded&, Control& control) {
  if (save_deferred_ && applies_to(control.run())) {
    save_deferred_ = false;
    save_here(control);
  } else if (!saves_on_train_epoch_end(control.run())) {
    end_of_epoch(control);
  }
}

void ModelCheckpoint::on(const TrainEnded&, Control& control) {
  if (options_.save_last && last_global_step_saved_ == 0 && applies_to(control.run())) {
    save_last(control);
  }
}

void ModelCheckpoint::on(const RunResumed&, const RunState& run) {
  written_ = {};
  for (const auto& info : run.checkpoints()) {
    if (info.state() == v1::CheckpointInfo::FAILED) {
      written_.failed.insert(info.path());
    }
  }
  note_written(run);
}

void ModelCheckpoint::on(const CheckpointSaved& event, const RunState& run) {
  written_.failed.erase(event.path());
  note_written(run);
}

void ModelCheckpoint::on(const CheckpointFailed& event, const RunState& run) {
  written_.failed.insert(event.path());
  note_written(run);
}

/// Looks for the best of the files that there are, where one is missing.
void ModelCheckpoint::note_written(const RunState& run) {
  written_.best_path.clear();
  written_.best_score.reset();
  if (written_.failed.empty()) {
    return;
  }
  for (const auto& info : run.checkpoints()) {
    const bool own = info.monitor() == options_.monitor && info.path() != last_model_path_ &&
                     (dirpath_.empty() || info.path().starts_with(dirpath_ + "/"));
    const bool beats =
        options_.monitor.empty() || !written_.best_score || better(options_.mode, info.score(), *written_.best_score);
    if (own && info.state() == v1::CheckpointInfo::SAVED && beats) {
      written_.best_path = info.path();
      written_.best_score = options_.monitor.empty() ? std::nullopt : std::optional(info.score());
    }
  }
}

void ModelCheckpoint::end_of_epoch(Control& control) {
  const RunState& run = control.run();
  if (applies_to(run) && every_n_epochs_ > 0 && (int64_t{run.epoch()} + 1) % every_n_epochs_ == 0) {
    save_here(control);
  }
}

void ModelCheckpoint::save_here(Control& control) {
  if (save_top_k(control) || options_.save_top_k == 0) {
    save_last(control);
  }
}

bool ModelCheckpoint::save_top_k(Control& control) {
  if (options_.save_top_k == 0) {
    return false;
  }
  if (options_.monitor.empty()) {
    return save_newest(control);
  }
  const auto current = value_of(control.run(), options_.monitor);
  if (!current) {
    report_missing_monitor(control.run());
    return false;
  }
  return save_if_among_best(current->number, control);
}

bool ModelCheckpoint::save_newest(Control& control) {
  const std::string previous = best_model_path_;
  best_model_path_ = next_path(control.run(), previous);
  save(best_model_path_, true, control);
  if (options_.save_top_k == 1 && !previous.empty() && previous != best_model_path_) {
    remove(previous, control);
  }
  return true;
}

bool ModelCheckpoint::save_if_among_best(double score, Control& control) {
  if (!top_k_.admits(score)) {
    return false;
  }
  const std::vector<std::string> evicted = top_k_.make_room();
  const std::string path = next_path(control.run(), evicted.empty() ? std::string() : evicted.back());
  current_score_ = std::isnan(score) ? worst_score(options_.mode) : score;
  top_k_.add(path, *current_score_);
  std::tie(best_model_path_, best_model_score_) = top_k_.best();
  if (top_k_.full()) {
    std::tie(kth_best_model_path_, kth_value_) = top_k_.worst();
  }
  save(path, path == best_model_path_, control);
  for (const auto& old : evicted) {
    if (old != path) {
      remove(old, control);
    }
  }
  return true;
}

void ModelCheckpoint::save_last(Control& control) {
  if (!options_.save_last) {
    return;
  }
  const std::string previous = last_model_path_;
  last_model_path_ = versioned_path(kLastName, previous);
  save(last_model_path_, false, control);
  if (!previous.empty() && previous != last_model_path_) {
    remove(previous, control);
  }
}

void ModelCheckpoint::report_missing_monitor(const RunState& run) {
  const std::string message = missing_metric("ModelCheckpoint", options_.monitor, run);
  if (run.validations() > 0) {
    throw ConfigError(message);
  }
  if (!warned_) {
    warned_ = true;
    std::cerr << "warning: " + message + "\n";
  }
}

std::string ModelCheckpoint::next_path(const RunState& run, const std::string& reusable) const {
  return versioned_path(name_.format([&](const std::string& name) { return value_of(run, name); }), reusable);
}

std::string ModelCheckpoint::versioned_path(const std::string& name, const std::string& reusable) const {
  const std::string stem = dirpath_.empty() || dirpath_ == "/" ? dirpath_ + name : dirpath_ + "/" + name;
  std::string path = stem + kExtension;
  for (int version = 1; options_.enable_version_counter && path != reusable && kept_paths_.contains(path); ++version) {
    path = stem + "-v" + std::to_string(version) + kExtension;
  }
  return path;
}

void ModelCheckpoint::save(const std::string& path, bool best, Control& control) {
  v1::SaveCheckpoint command;
  command.set_path(path);
  command.set_weights_only(options_.save_weights_only);
  command.set_best(best);
  if (const auto score = value_of(control.run(), options_.monitor); !options_.monitor.empty() && score) {
    command.set_monitor(options_.monitor);
    command.set_score(std::isnan(score->number) ? worst_score(options_.mode) : score->number);
  }
  control.save_checkpoint(command);
  kept_paths_.insert(path);
  last_global_step_saved_ = control.run().global_step();
}

void ModelCheckpoint::remove(const std::string& path, Control& control) {
  // What another dirpath left behind was never kept by this one.
  if (kept_paths_.erase(path) > 0) {
    control.remove_checkpoint(path);
  }
}

std::vector<TopK::Model> ModelCheckpoint::best_k_models() const {
  std::vector<TopK::Model> models = top_k_.models();
  std::erase_if(models, [this](const TopK::Model& model) { return written_.failed.contains(model.first); });
  return models;
}

StateDict ModelCheckpoint::state_dict() const {
  StateDict state;
  options_.monitor.empty() ? state.set_none("monitor") : state.set("monitor", options_.monitor);
  set_optional(state, "best_model_score", best_model_score_);
  state.set("best_model_path", best_model_path_);
  set_optional(state, "current_score", current_score_);
  state.set("dirpath", dirpath_);
  top_k_.save(state);
  state.set("kth_best_model_path", kth_best_model_path_);
  state.set("kth_value", kth_value_);
  state.set("last_model_path", last_model_path_);
  // Beyond Lightning's: what exact resume needs.
  state.set("kept_paths", std::vector<std::string>(kept_paths_.begin(), kept_paths_.end()));
  state.set("last_global_step_saved", last_global_step_saved_);
  if (every_n_epochs_ == 0) {
    state.set("last_due_us", static_cast<int64_t>(last_due_us_));
    state.set("save_deferred", save_deferred_);
  }
  return state;
}

void ModelCheckpoint::load_state_dict(const StateDict& state) {
  best_model_path_ = state.get_string("best_model_path");
  if (const std::string saved = state.get_string("dirpath"); saved != dirpath_) {
    std::cerr << "warning: " + state_key() + ": dirpath has changed from " + python_repr(saved) + " to " +
                     python_repr(dirpath_) + "; of its saved state only best_model_path is restored\n";
    return;
  }
  best_model_score_ = get_optional(state, "best_model_score");
  current_score_ = get_optional(state, "current_score");
  kth_best_model_path_ = state.get_string("kth_best_model_path");
  kth_value_ = state.get_double("kth_value");
  last_model_path_ = state.get_string("last_model_path");
  top_k_.load(state);
  const auto kept = state.get_strings("kept_paths");
  kept_paths_ = {kept.begin(), kept.end()};
  last_global_step_saved_ = static_cast<uint64_t>(state.get_int("last_global_step_saved"));
  if (state.contains("save_deferred")) {
    last_due_us_ = static_cast<uint64_t>(state.get_int("last_due_us"));
    save_deferred_ = state.get_bool("save_deferred");
  }
}

std::string ModelCheckpoint::start_of_state_key() const {
  const std::string monitor = options_.monitor.empty() ? "None" : python_repr(options_.monitor);
  const std::string interval = interval_us_ == 0 ? "None" : python_repr(options_.train_time_interval);
  return "ModelCheckpoint{'monitor': " + monitor + ", 'mode': " + python_repr(mode_name(options_.mode)) +
         ", 'every_n_train_steps': " + std::to_string(options_.every_n_train_steps) +
         ", 'every_n_epochs': " + std::to_string(every_n_epochs_) + ", 'train_time_interval': " + interval;
}

std::string ModelCheckpoint::state_key() const {
  std::string key = start_of_state_key();
  if (dirpath_ != normal_dirpath(ModelCheckpointOptions().dirpath)) {
    key += kDirpathInKey + python_repr(dirpath_);
  }
  if (!options_.filename.empty() && options_.filename != kDefaultFilename) {
    key += kFilenameInKey + python_repr(options_.filename);
  }
  return key + "}";
}

bool ModelCheckpoint::takes_state_of(const std::string& state_key) const {
  const std::string start = start_of_state_key();
  const std::string_view rest = std::string_view(state_key).substr(std::min(start.size(), state_key.size()));
  return state_key.starts_with(start) &&
         (rest == "}" || rest.starts_with(kDirpathInKey) || rest.starts_with(kFilenameInKey));
}

}  // namespace troupe
