#include "actors/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "actors/checkpoint_finder.h"
#include "actors/run_environment.h"
#include "actors/run_system.h"
#include "actors/signal_guard.h"
#include "callbacks/model_checkpoint.h"
#include "callbacks/model_summary.h"
#include "callbacks/progress_bar.h"
#include "callbacks/timer.h"
#include "runtime/error.h"
#include "runtime/evaluation_run.h"
#include "runtime/event_history.h"
#include "runtime/exception_text.h"
#include "runtime/fit_loop.h"
#include "runtime/run_directory.h"
#include "runtime/seed.h"
#include "runtime/tensor_bytes.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;
using Callbacks = std::vector<std::shared_ptr<Callback>>;

int64_t now_unix_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::chrono::milliseconds to_milliseconds(double seconds) {
  constexpr double kYear = 365.0 * 24 * 3600;
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(seconds, kYear) * 1000));
}

bool has_type(const Callbacks& callbacks, const std::string& type) {
  return std::any_of(callbacks.begin(), callbacks.end(),
                     [&](const auto& callback) { return callback->info().type == type; });
}

void require_new_state_key(const Callbacks& callbacks, const std::string& key) {
  for (const auto& present : callbacks) {
    if (present->info().state_key == key) {
      throw ConfigError("Trainer: two callbacks have the state key '" + key + "'; give one a name of its own");
    }
  }
}

/// Adds what Lightning's Trainer adds by itself.
template <class T>
void add_default(Callbacks& callbacks, bool enabled, const char* option) {
  const std::string type = readable_type_name(typeid(T));
  const bool present = has_type(callbacks, type);
  if (present && !enabled) {
    throw ConfigError("trainer: '" + std::string(option) + "' is false, but there is a " + type +
                      " among the callbacks");
  }
  if (!present && enabled) {
    callbacks.push_back(make_callback(std::make_shared<T>()));
  }
}

/// The Trainer's callbacks, with the module's own in the place of those of the same type.
Callbacks with_callbacks_of(Module& module, const Callbacks& given) {
  Callbacks own;
  for (auto& callback : module.configure_callbacks()) {
    own.push_back(std::move(callback));
  }
  Callbacks callbacks;
  std::copy_if(given.begin(), given.end(), std::back_inserter(callbacks),
               [&](const auto& callback) { return !has_type(own, callback->info().type); });
  for (const auto& callback : own) {
    require_new_state_key(callbacks, callback->info().state_key);
    callbacks.push_back(callback);
  }
  return callbacks;
}

/// Loads the states; what was loaded, by state key.
std::map<std::string, v1::CallbackState> load_states(const Callbacks& callbacks,
                                                     const std::vector<v1::CallbackState>& states) {
  std::map<std::string, v1::CallbackState> loaded;
  for (const auto& state : states) {
    const auto found = std::find_if(callbacks.begin(), callbacks.end(), [&](const auto& callback) {
      return callback->info().state_key == state.state_key();
    });
    if (found == callbacks.end()) {
      std::cerr << "troupe: warning: the checkpoint holds the state of " + state.state_key() +
                       ", which is not among the callbacks\n";
    } else {
      (*found)->load_state_dict(StateDict(state.state()));
      loaded[state.state_key()] = state;
    }
  }
  return loaded;
}

/// Whether the checkpoint was taken in the part of the run that counts, not in one that a later resume superseded.
bool is_in_effective_history(const v1::CheckpointHeader& header, const fs::path& events) {
  EventHistory history(events);
  uint32_t incarnation = 1;
  for (Event event; history.next(event) && event.seq() <= header.seq();) {
    incarnation = event.has_run_resumed() ? event.run_resumed().incarnation() : incarnation;
    if (event.seq() == header.seq()) {
      return event.has_checkpoint_taken() && incarnation == header.incarnation();
    }
  }
  return false;
}

/// Name of a run: that of its directory.
std::string name_of(const fs::path& run_directory) {
  const fs::path path = fs::absolute(run_directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

/// "<folder>/001", or the first number after it that is free.
fs::path next_numbered(const fs::path& folder) {
  for (int number = 1;; ++number) {
    std::string name = std::to_string(number);
    name.insert(0, name.size() < 3 ? 3 - name.size() : 0, '0');
    if (!fs::exists(folder / name)) {
      return folder / name;
    }
  }
}

DataLoaders evaluation_loaders(Stage stage, DataModule& data) {
  const bool validates = stage == v1::STAGE_VALIDATE;
  const bool tests = stage == v1::STAGE_TEST;
  DataLoaders loaders = validates ? data.val_dataloaders()
                        : tests   ? data.test_dataloaders()
                                  : data.predict_dataloaders();
  if (loaders.empty()) {
    throw ConfigError(std::string(stage_name(stage)) + ": the data module has no " +
                      (validates ? "val_dataloader"
                       : tests   ? "test_dataloader"
                                 : "predict_dataloader"));
  }
  return loaders;
}

/// Says that a call runs, as long as it lives.
class CallGuard {
 public:
  explicit CallGuard(std::atomic<bool>& running) : running_(running) {
    if (running_.exchange(true)) {
      throw ConfigError(
          "Trainer: a call is running already; fit, validate, test and predict cannot be called from a hook or twice "
          "at "
          "a time");
    }
  }
  ~CallGuard() { running_ = false; }
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

 private:
  std::atomic<bool>& running_;
};

}  // namespace

class Trainer::Impl {
 public:
  explicit Impl(TrainerOptions options) : given_(std::move(options)) {
    given_.validate();
    options_ = given_.effective();
  }

  const TrainerOptions& options() const { return given_; }
  void set_config(std::string json) { config_ = std::move(json); }
  std::map<std::string, StateDict> callback_states() const;
  void add_callback(std::unique_ptr<Callback> callback);
  RunResult fit(Module& module, DataModule& data, const std::string& resume);
  RunResult evaluate(Stage stage, Module& module, DataModule& data, const std::string& checkpoint);
  bool send(v1::Command command, std::string from);

 private:
  void prepare_process();
  Callbacks callbacks_for(Stage stage, Module& module);
  fs::path fit_directory(const FoundCheckpoint* resumed) const;
  fs::path evaluation_directory(Stage stage, const FoundCheckpoint* found) const;
  std::string config_json() const;
  RunStarted run_started(Stage stage, const std::string& run_id) const;
  RunResumed run_resumed(const FoundCheckpoint& found, const EventLogWriter& log, FitLoop& loop) const;
  RunSystemConfig system_config(const RunDirectory& directory, const std::string& run_id, Callbacks callbacks) const;
  template <class Body>
  RunResult run(RunSystem& system, const fs::path& directory, Body&& body);

  TrainerOptions given_;
  TrainerOptions options_;  // given_, as effective() has them.
  std::string config_;
  Callbacks callbacks_;
  Callbacks last_callbacks_;  // With the Trainer's own.
  fs::path last_fit_directory_;
  std::atomic<bool> running_{false};
  std::shared_ptr<OperatorInbox> inbox_ = std::make_shared<OperatorInbox>();
};

void Trainer::Impl::add_callback(std::unique_ptr<Callback> callback) {
  require_new_state_key(callbacks_, callback->info().state_key);
  callbacks_.push_back(std::move(callback));
}

void Trainer::Impl::prepare_process() {
  inbox_->take();  // What came after the last call ended.
  at::set_num_threads(options_.num_threads);
  at::globalContext().setDeterministicAlgorithms(options_.deterministic, /*warn_only=*/false);
}

Callbacks Trainer::Impl::callbacks_for(Stage stage, Module& module) {
  Callbacks callbacks = with_callbacks_of(module, callbacks_);
  add_default<ProgressBar>(callbacks, options_.enable_progress_bar, "enable_progress_bar");
  if (stage == v1::STAGE_FIT) {
    if (options_.max_time && !has_type(callbacks, readable_type_name(typeid(Timer)))) {
      callbacks.push_back(make_callback(std::make_shared<Timer>(TimerOptions{.duration = *options_.max_time})));
    }
    add_default<ModelSummary>(callbacks, options_.enable_model_summary, "enable_model_summary");
    if (options_.fast_dev_run == 0) {
      add_default<ModelCheckpoint>(callbacks, options_.enable_checkpointing, "enable_checkpointing");
    }
  }
  last_callbacks_ = callbacks;
  return callbacks;
}

std::map<std::string, StateDict> Trainer::Impl::callback_states() const {
  std::map<std::string, StateDict> states;
  for (const auto& callback : last_callbacks_) {
    if (callback->info().stateful) {
      states[callback->info().state_key] = callback->state_dict();
    }
  }
  return states;
}

fs::path Trainer::Impl::fit_directory(const FoundCheckpoint* resumed) const {
  if (resumed != nullptr) {
    if (resumed->run_directory.empty()) {
      throw ConfigError("resume: " + resumed->file.string() +
                        " does not lie in the checkpoints folder of a run; a run goes on in its "
                        "own directory");
    }
    if (!options_.run_dir.empty() &&
        fs::weakly_canonical(options_.run_dir) != fs::weakly_canonical(resumed->run_directory)) {
      throw ConfigError("resume: the checkpoint belongs to run " + resumed->run_directory.string() +
                        ", not to run_dir " + options_.run_dir + "; leave run_dir out");
    }
    return resumed->run_directory;
  }
  const fs::path directory = options_.run_dir.empty()
                                 ? RunDirectory::default_path(options_.default_root_dir, options_.name)
                                 : fs::path(options_.run_dir);
  if (has_run(directory)) {
    throw ConfigError("run directory " + directory.string() +
                      " holds a run already: resume it ('last'), or choose another one");
  }
  return directory;
}

fs::path Trainer::Impl::evaluation_directory(Stage stage, const FoundCheckpoint* found) const {
  fs::path parent = last_fit_directory_;
  if (found != nullptr && !found->run_directory.empty()) {
    parent = found->run_directory;
  } else if (parent.empty() && !options_.run_dir.empty()) {
    parent = options_.run_dir;
  }
  return parent.empty() ? RunDirectory::default_path(options_.default_root_dir, options_.name)
                        : next_numbered(parent / std::string(stage_name(stage)));
}

std::string Trainer::Impl::config_json() const {
  return config_.empty() ? nlohmann::json{{"trainer", options_to_json(given_)}}.dump() : config_;
}

RunStarted Trainer::Impl::run_started(Stage stage, const std::string& run_id) const {
  RunStarted started;
  started.set_run_id(run_id);
  started.set_name(options_.name);
  started.set_started_at_unix_us(now_unix_us());
  started.set_stage(stage);
  started.set_config_json(config_json());
  started.set_seed(options_.seed);
  *started.mutable_environment() = current_environment();
  return started;
}

RunResumed Trainer::Impl::run_resumed(const FoundCheckpoint& found, const EventLogWriter& log, FitLoop& loop) const {
  const auto& header = found.data.header;
  if (log.last_seq() < header.seq()) {
    throw CorruptionError("resume: " + found.file.string() + " was taken at seq " + std::to_string(header.seq()) +
                          ", but the run's log ends at seq " + std::to_string(log.last_seq()) + ": it has lost events");
  }
  if (!is_in_effective_history(header, RunPaths{found.run_directory}.events())) {
    throw ConfigError("resume: " + found.file.string() +
                      " was taken in a part of the run that a later resume superseded: " +
                      "the run cannot go on from it; its weights can be tested");
  }
  RunResumed resumed;
  resumed.set_incarnation(log.incarnation() + 1);
  resumed.set_from_seq(header.seq());
  resumed.set_superseded_events(log.last_seq() - header.seq());
  const auto relative = fs::proximate(found.file, found.run_directory);
  resumed.set_checkpoint(relative.string());
  resumed.set_resumed_at_unix_us(now_unix_us());
  resumed.set_config_json(config_json());
  *resumed.mutable_environment() = current_environment();
  auto differences = environment_differences(header.environment(), resumed.environment());
  if (found.data.training_state && found.data.training_state->seed() != options_.seed) {
    differences.push_back("seed: " + std::to_string(found.data.training_state->seed()) + " before, " +
                          std::to_string(options_.seed) + " now");
  }
  for (const auto& difference : differences) {
    std::cerr << "troupe: warning: the run goes on in another environment, so it may differ in its last bits: " +
                     difference + "\n";
    resumed.add_environment_differences(difference);
  }
  *resumed.mutable_fit() = loop.facts();
  resumed.mutable_fit()->clear_modules();
  *resumed.mutable_fit()->mutable_param_groups() =
      found.data.run_state.fit().param_groups();  // As they were at the start.
  return resumed;
}

RunSystemConfig Trainer::Impl::system_config(const RunDirectory& directory, const std::string& run_id,
                                             Callbacks callbacks) const {
  RunSystemConfig config;
  config.callbacks = std::move(callbacks);
  config.checkpoints.run_directory = directory.root();
  config.checkpoints.run_id = run_id;
  config.checkpoints.environment = current_environment();
  config.checkpoints.add_snapshot = add_snapshot;
  config.bytes_of = [](const StepOutputs& outputs) { return outputs.bytes(); };
  config.controller_deadline = to_milliseconds(options_.controller_deadline_s);
  config.drain_deadline = to_milliseconds(options_.drain_deadline_s);
  config.inbox = inbox_;
  return config;
}

template <class Body>
RunResult Trainer::Impl::run(RunSystem& system, const fs::path& directory, Body&& body) {
  RunResult result;
  result.run_dir = directory.string();
  try {
    const RunOutcome outcome = body();
    result.status = outcome.status;
    result.reason = outcome.reason;
    result.stopped_by = outcome.stopped_by;
    result.stop_reason = outcome.stop_reason;
    result.signal = outcome.signal;
  } catch (...) {
    try {
      system.finish(v1::RUN_STATUS_FAILED, current_exception_text());
    } catch (...) {  // NOLINT(bugprone-empty-catch): the log is what failed, and the first error says so.
    }
    throw;
  }
  result.state = system.finish(result.status, result.reason);
  return result;
}

RunResult Trainer::Impl::fit(Module& module, DataModule& data, const std::string& resume) {
  const CallGuard call(running_);
  prepare_process();
  std::optional<FoundCheckpoint> found;
  if (!resume.empty()) {
    found = find_checkpoint(resume, options_, CheckpointUse::kResume);
  }
  const fs::path path = fit_directory(found ? &*found : nullptr);
  auto callbacks = callbacks_for(v1::STAGE_FIT, module);
  TrainerOptions options = options_;
  options.max_epochs = options.resolved_max_epochs(has_type(callbacks, readable_type_name(typeid(Timer))));

  seed_everything(options.seed);  // For what the setup hooks draw; the run itself is seeded below, or restored.
  DataScope data_scope(data, v1::STAGE_FIT);
  auto train = data.train_dataloader();
  if (!train) {
    throw ConfigError("fit: the data module has no train_dataloader");
  }
  FitLoop loop(module, train, options.limit_val_batches.value() > 0 ? data.val_dataloaders() : DataLoaders(), options);
  uint64_t elapsed_us = 0;
  if (found) {
    const Snapshot snapshot = to_snapshot(found->data);
    loop.restore(snapshot);
    elapsed_us = snapshot.elapsed_us;
  } else {
    seed_everything(options_.seed);
  }

  const RunDirectory directory(path);
  remove_stale_temporaries(directory.checkpoints());
  auto log = std::make_shared<EventLogWriter>(directory.events());
  if (log->recovery()) {
    std::cerr << "troupe: warning: " + log->recovery()->text() + "; it was cut off\n";
  }
  for (const auto& callback : callbacks) {
    callback->set_run_directory(directory.root());
  }
  RunOpening opening;
  std::string run_id = name_of(path);
  std::map<std::string, v1::CallbackState> loaded;
  if (found) {
    loaded = load_states(callbacks, found->data.callback_states);
    run_id = found->data.header.run_id();
    opening = run_resumed(*found, *log, loop);
  } else {
    opening = run_started(v1::STAGE_FIT, run_id);
  }
  directory.write_config(nlohmann::json::parse(config_json()).dump(2) + "\n");
  RunSystemConfig config = system_config(directory, run_id, std::move(callbacks));
  config.log = std::move(log);
  if (found) {
    config.state = RunState::from_proto(found->data.run_state);
  }
  config.callback_states = std::move(loaded);
  config.elapsed_us = elapsed_us;
  last_fit_directory_ = directory.root();
  const SignalGuard signals(options_.handle_signals);
  RunSystem system(std::move(config));
  return run(system, directory.root(), [&] {
    auto outcome = loop.run(system, std::move(opening), elapsed_us);
    data_scope.tear_down();
    return outcome;
  });
}

RunResult Trainer::Impl::evaluate(Stage stage, Module& module, DataModule& data, const std::string& checkpoint) {
  const CallGuard call(running_);
  prepare_process();
  std::optional<FoundCheckpoint> found;
  if (!checkpoint.empty()) {
    TrainerOptions where = options_;
    where.run_dir = where.run_dir.empty() ? last_fit_directory_.string() : where.run_dir;
    found = find_checkpoint(checkpoint, where, CheckpointUse::kWeights);
  }
  seed_everything(options_.seed);
  auto callbacks = callbacks_for(stage, module);
  DataScope data_scope(data, stage);
  const DataLoaders loaders = evaluation_loaders(stage, data);
  ModuleScope module_scope(module, stage);
  if (found) {
    restore_module(module, to_snapshot(found->data).tensors);
  }
  seed_everything(options_.seed);

  const RunDirectory directory(evaluation_directory(stage, found ? &*found : nullptr));
  directory.write_config(nlohmann::json::parse(config_json()).dump(2) + "\n");
  for (const auto& callback : callbacks) {
    callback->set_run_directory(directory.root());
  }
  const std::string run_id = name_of(directory.root());
  RunSystemConfig config = system_config(directory, run_id, std::move(callbacks));
  config.log = std::make_shared<EventLogWriter>(directory.events());
  const SignalGuard signals(options_.handle_signals);
  RunSystem system(std::move(config));
  EvaluationResult evaluation;
  RunResult result = run(system, directory.root(), [&]() -> RunOutcome {
    try {
      evaluation = run_evaluation(module_scope, loaders, options_, system, run_started(stage, run_id));
      data_scope.tear_down();
    } catch (const Interrupted& interrupted) {
      return {v1::RUN_STATUS_INTERRUPTED, interrupted.reason, {}, {}, interrupted.signal};
    }
    return {v1::RUN_STATUS_FINISHED, "all batches done", {}, {}, 0};
  });
  result.metrics.insert(evaluation.metrics.begin(), evaluation.metrics.end());
  result.predictions = std::move(evaluation.predictions);
  return result;
}

bool Trainer::Impl::send(v1::Command command, std::string from) {
  if (!running_) {
    return false;
  }
  v1::InputRecorded input;
  *input.mutable_command() = std::move(command);
  input.set_from(std::move(from));
  return inbox_->send(std::move(input));
}

Trainer::Trainer(TrainerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Trainer::~Trainer() = default;

void Trainer::add_callback(std::unique_ptr<Callback> callback) {
  impl_->add_callback(std::move(callback));
}

RunResult Trainer::fit(Module& module, DataModule& data, const std::string& resume) {
  return impl_->fit(module, data, resume);
}

RunResult Trainer::validate(Module& module, DataModule& data, const std::string& checkpoint) {
  return impl_->evaluate(v1::STAGE_VALIDATE, module, data, checkpoint);
}

RunResult Trainer::test(Module& module, DataModule& data, const std::string& checkpoint) {
  return impl_->evaluate(v1::STAGE_TEST, module, data, checkpoint);
}

RunResult Trainer::predict(Module& module, DataModule& data, const std::string& checkpoint) {
  return impl_->evaluate(v1::STAGE_PREDICT, module, data, checkpoint);
}

std::map<std::string, StateDict> Trainer::callback_states() const {
  return impl_->callback_states();
}

bool Trainer::send(v1::Command command, std::string from) {
  return impl_->send(std::move(command), std::move(from));
}

void Trainer::set_config(std::string json) {
  impl_->set_config(std::move(json));
}

const TrainerOptions& Trainer::options() const {
  return impl_->options();
}

}  // namespace troupe
