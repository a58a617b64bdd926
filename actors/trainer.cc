#include "troupe/actors/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "troupe/actors/run/fit_set_up.h"
#include "troupe/actors/run/run_callbacks.h"
#include "troupe/actors/run/run_environment.h"
#include "troupe/actors/run/run_opening.h"
#include "troupe/actors/run/run_place.h"
#include "troupe/actors/run/run_system.h"
#include "troupe/actors/run/signal_guard.h"
#include "troupe/runtime/base/allocator.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/file/file_size_signal.h"
#include "troupe/runtime/log/known_inputs.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/loop/evaluation_run.h"
#include "troupe/runtime/module/seed.h"
#include "troupe/runtime/module/tensor_bytes.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

std::chrono::milliseconds to_milliseconds(double seconds) {
  constexpr double kYear = 365.0 * 24 * 3600;
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(seconds, kYear) * 1000));
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

/// Says that a call runs, as long as it lives, and keeps a limit of file sizes from ending the process meanwhile.
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
  FileSizeSignalGuard no_signal_;
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
  RunResult fit(Module& module, DataModule& data, const std::string& from, CheckpointUse use);
  RunResult evaluate(Stage stage, Module& module, DataModule& data, const std::string& checkpoint);
  bool send(v1::Command command, std::string from);

 private:
  void prepare_process();
  std::string config_json() const;
  OpeningFacts opening_facts(v1::Environment environment) const {
    return {options_.name, config_json(), options_.seed, std::move(environment)};
  }
  RunSystemConfig system_config(const RunDirectory& directory, const OpeningFacts& facts,
                                const std::string& run_id) const;
  RunSystemConfig new_system(const RunDirectory& directory, Stage stage, const OpeningFacts& facts,
                             const std::string& run_id) const;
  std::shared_ptr<EventLogWriter> open_log(const RunDirectory& directory, const FoundCheckpoint* resumed) const;
  template <class Body>
  RunResult run(RunSystem& system, const fs::path& directory, Body&& body);
  RunResult begin_fit(FitSetUp& set_up, FitPlace& place);
  RunResult go_on(FitSetUp& set_up, FitPlace& place, CheckpointUse use);

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
  if (options_.tune_allocator) {
    tune_allocator();
  }
  at::set_num_threads(options_.num_threads);
  at::globalContext().setDeterministicAlgorithms(options_.deterministic, /*warn_only=*/false);
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

std::string Trainer::Impl::config_json() const {
  return config_.empty() ? nlohmann::json{{"trainer", options_to_json(given_)}}.dump() : config_;
}

RunSystemConfig Trainer::Impl::system_config(const RunDirectory& directory, const OpeningFacts& facts,
                                             const std::string& run_id) const {
  RunSystemConfig config;
  config.callbacks = last_callbacks_;
  config.checkpoints.run_directory = directory.root();
  config.checkpoints.run_id = run_id;
  *config.checkpoints.environment = facts.environment;
  config.checkpoints.add_snapshot = add_snapshot;
  config.bytes_of = [](const StepOutputs& outputs) { return outputs.bytes(); };
  config.controller_deadline = to_milliseconds(options_.controller_deadline_s);
  config.drain_deadline = to_milliseconds(options_.drain_deadline_s);
  config.inbox = inbox_;
  return config;
}

/// Of a run that begins: nothing of the program's has been called but its callbacks.
RunSystemConfig Trainer::Impl::new_system(const RunDirectory& directory, Stage stage, const OpeningFacts& facts,
                                          const std::string& run_id) const {
  prepare_files(last_callbacks_, directory.root(), stage);
  directory.write_config(nlohmann::json::parse(config_json()).dump(2) + "\n");
  RunSystemConfig config = system_config(directory, facts, run_id);
  config.log = open_log(directory, nullptr);
  return config;
}

std::shared_ptr<EventLogWriter> Trainer::Impl::open_log(const RunDirectory& directory,
                                                        const FoundCheckpoint* resumed) const {
  EventLogWriterOptions log_options{.segment_bytes_max = static_cast<uint64_t>(options_.log_segment_bytes)};
  if (resumed != nullptr) {
    log_options.cut_damage_after = resumed->log_damage_after;
  }
  auto log = std::make_shared<EventLogWriter>(directory.events(), log_options);
  if (log->recovery()) {
    std::cerr << "troupe: warning: " + log->recovery()->text() + "; it was cut off: the log goes on after seq " +
                     std::to_string(log->last_seq()) + "\n";
  }
  return log;
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
  result.lost = result.state.lost();
  return result;
}

RunResult Trainer::Impl::fit(Module& module, DataModule& data, const std::string& from, CheckpointUse use) {
  const CallGuard call(running_);
  prepare_process();
  FitPlace place = find_fit_place(from, use, options_);  // Before the set-up: a run that is forked may go on.
  last_callbacks_ = callbacks_of_run(v1::STAGE_FIT, module, callbacks_, options_);
  TrainerOptions options = options_;
  options.max_epochs = options.resolved_max_epochs(has_timer(last_callbacks_));
  FitSetUp set_up(module, data, std::move(options));
  return place.found ? go_on(set_up, place, use) : begin_fit(set_up, place);
}

/// A new run has its log before the module and the data are set up: what they throw is in it.
RunResult Trainer::Impl::begin_fit(FitSetUp& set_up, FitPlace& place) {
  const OpeningFacts facts = opening_facts(expected_environment(set_up.module(), options_.device));
  const RunDirectory& directory = place.open();
  remove_stale_temporaries(directory.checkpoints());
  const std::string run_id = run_name(directory.root());
  RunSystemConfig config = new_system(directory, v1::STAGE_FIT, facts, run_id);
  const auto environment = config.checkpoints.environment;
  last_fit_directory_ = directory.root();
  std::optional<SignalGuard> signals;
  RunSystem system(std::move(config));
  return run(system, directory.root(), [&] {
    auto opened = open_run(system, run_started(facts, v1::STAGE_FIT, run_id), set_up.scope(), [&] {
      set_up.run(nullptr);
      seed_everything(options_.seed);
      *environment = current_environment(set_up.module());  // Its setup may have moved it.
      signals.emplace(options_.handle_signals);             // Until here a signal ends the process.
    });
    return set_up.fit(system, std::move(opened), 0);
  });
}

/// A run that goes on is set up before its log is touched: RunResumed supersedes events, and a start that fails must
/// not cost any.
RunResult Trainer::Impl::go_on(FitSetUp& set_up, FitPlace& place, CheckpointUse use) {
  auto& found = *place.found;
  set_up.run(&found);
  uint64_t elapsed_us = 0;
  if (found.starts_over()) {
    seed_everything(options_.seed);
  } else {
    const Snapshot snapshot = to_snapshot(found.data);
    set_up.fit_run().restore(snapshot);
    elapsed_us = snapshot.elapsed_us;
  }

  const RunDirectory& directory = place.open();
  remove_stale_temporaries(directory.checkpoints());
  prepare_files(last_callbacks_, directory.root(), v1::STAGE_FIT);
  auto log = open_log(directory, &found);
  const OpeningFacts facts = opening_facts(current_environment(set_up.module()));
  RunOpening opening;
  std::string run_id = run_name(directory.root());
  std::map<std::string, v1::CallbackState> loaded;
  const bool resumes = log->last_seq() > 0;
  if (resumes) {
    loaded = load_states(last_callbacks_, found.data.callback_states);
    run_id = found.run_id;
    opening = run_resumed(facts, found, *log, set_up.fit_run().resumed());
  } else {  // The process was killed before its first event was in the log.
    opening = run_started(facts, v1::STAGE_FIT, run_id);
  }
  directory.write_config(nlohmann::json::parse(config_json()).dump(2) + "\n");
  RunSystemConfig config = system_config(directory, facts, run_id);
  config.log = std::move(log);
  if (resumes) {
    config.state = RunState::from_proto(found.data.run_state);
    config.repeats = read_known_inputs(directory.events(), config.state.seq());
    rename_callbacks(config.repeats, loaded);
    if (use == CheckpointUse::kFork) {  // It does not repeat what came to the run that it leaves.
      config.repeats.inputs.clear();
      config.repeats.landmarks = 0;
    }
  }
  config.callback_states = std::move(loaded);
  last_fit_directory_ = directory.root();
  const SignalGuard signals(options_.handle_signals);
  RunSystem system(std::move(config));
  return run(system, directory.root(), [&] { return set_up.fit(system, std::move(opening), elapsed_us); });
}

RunResult Trainer::Impl::evaluate(Stage stage, Module& module, DataModule& data, const std::string& checkpoint) {
  const CallGuard call(running_);
  prepare_process();
  std::optional<FoundCheckpoint> found;
  if (!checkpoint.empty()) {
    found = find_start(checkpoint, CheckpointUse::kWeights, options_, last_fit_directory_);
  }
  last_callbacks_ = callbacks_of_run(stage, module, callbacks_, options_);
  const OpeningFacts facts = opening_facts(expected_environment(module, options_.device));
  const RunDirectory directory(evaluation_directory(stage, found ? &*found : nullptr, options_, last_fit_directory_));
  const std::string run_id = run_name(directory.root());
  RunSystemConfig config = new_system(directory, stage, facts, run_id);
  std::optional<SignalGuard> signals;
  std::optional<DataScope> data_scope;
  DataLoaders loaders;
  std::shared_ptr<ModuleScope> module_scope;
  RunSystem system(std::move(config));
  EvaluationResult evaluation;
  RunResult result = run(system, directory.root(), [&]() -> RunOutcome {
    auto opened = open_run(system, run_started(facts, stage, run_id), module_scope, [&] {
      seed_everything(options_.seed);
      data_scope.emplace(data, stage);
      loaders = evaluation_loaders(stage, data);
      module_scope = std::make_shared<ModuleScope>(module, stage, options_.device);
      if (found) {
        const Snapshot snapshot = to_snapshot(found->data);
        module.on_load_checkpoint(StateDict(snapshot.state.module_state()));
        restore_module(module, snapshot.tensors);
      }
      seed_everything(options_.seed);
      signals.emplace(options_.handle_signals);  // Until here a signal ends the process.
    });
    try {
      evaluation = run_evaluation(*module_scope, loaders, options_, system, std::move(opened));
      data_scope->tear_down();
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
  return impl_->fit(module, data, resume, CheckpointUse::kResume);
}

RunResult Trainer::fork(Module& module, DataModule& data, const std::string& from) {
  if (from.empty()) {
    throw ConfigError("fork: names no checkpoint; allowed are a checkpoint file, a run directory, 'last' and 'best'");
  }
  return impl_->fit(module, data, from, CheckpointUse::kFork);
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
