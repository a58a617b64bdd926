#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/typed_callback.h"
#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/loop/live.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/module/step_outputs.h"
#include "troupe/runtime/options/trainer_options.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// How a run ended, and what it came to.
struct RunResult {
  v1::RunStatus status = v1::RUN_STATUS_FINISHED;
  std::string reason;                   ///< One line: the limit, the vote or the signal that ended it.
  std::string stopped_by;               ///< State key of the callback whose vote stopped it; empty otherwise.
  std::string stop_reason;              ///< That vote's reason.
  int signal = 0;                       ///< The signal that interrupted it; 0 otherwise.
  std::vector<std::string> lost;        ///< What it was to leave and has not: its newest checkpoint, a logger's file.
  std::string run_dir;                  ///< Where the log, the checkpoints and the loggers' files lie.
  RunState state;                       ///< The fold of the whole log: metrics, learning rates, checkpoints, ...
  MetricMap metrics;                    ///< Of validate and test: the means that the stage gave.
  std::vector<at::Tensor> predictions;  ///< Of predict: what predict_step gave, one tensor per batch, on the CPU.
};

/// A callback that the Trainer runs, for reading it before and after a run. During one it belongs to its actor, which
/// puts another object in its place when it restarts it.
template <class T>
class CallbackHandle {
 public:
  explicit CallbackHandle(std::shared_ptr<CallbackSlot<T>> slot) : slot_(std::move(slot)) {}
  T& get() const { return *slot_->callback; }

 private:
  std::shared_ptr<CallbackSlot<T>> slot_;
};

/// Trains, validates, tests and predicts. Every call is a run with its own event log. The loop runs on the calling
/// thread; callbacks live in actors and cannot disturb it (docs/architecture.md). One call at a time.
///
/// Every call throws ConfigError (options, callbacks, data), MismatchError (a checkpoint of another model),
/// CorruptionError (a damaged file), IoError (log or data cannot be written or read), CallbackError (a controller
/// failed), and whatever the module throws. While it runs, SIGXFSZ is ignored if its default is in force: a limit of
/// file sizes is an error, as a full disk is.
class Trainer {
 public:
  /// Throws ConfigError when the options make no sense.
  explicit Trainer(TrainerOptions options = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Adds a callback: any class with hooks (docs/callbacks.md). Order does not matter. `name` is the state key of a
  /// class that has no state_key(); `policy` says how the runtime deals with it when it fails or is slow. Throws
  /// ConfigError for a second one with the same state key, and for a policy that it cannot have.
  template <class T>
  CallbackHandle<T> add(T callback, std::string name = {},
                        const CallbackPolicy& policy = callback_detail::class_policy<T>()) {
    callback_detail::check_restarts<T>();
    return add_slot(std::make_shared<T>(std::move(callback)), std::move(name), policy, CallbackFactory<T>());
  }
  /// The same for a callback that `factory` makes, now and at every restart.
  template <class T>
  CallbackHandle<T> add_with(CallbackFactory<T> factory, std::string name = {},
                             const CallbackPolicy& policy = callback_detail::class_policy<T>()) {
    auto callback = factory();
    return add_slot(std::move(callback), std::move(name), policy, std::move(factory));
  }
  /// Adds a function as a callback: f(const E&), and as second parameter one of those that a hook may have.
  template <EventBody E, class F>
  void on(std::string name, F function, const CallbackPolicy& policy = {}) {
    add(callback_detail::LambdaCallback<E, F>{std::move(function)}, std::move(name), policy);
  }
  /// Adds a callback whose class is erased already. Throws ConfigError for a second one with the same state key.
  void add_callback(std::unique_ptr<Callback> callback);

  /// Trains. `resume`: empty for a new run; else a checkpoint file, a run directory (its newest checkpoint), "last" or
  /// "best" (of the run in options.run_dir, or of the newest run under default_root_dir/name): then the run goes on in
  /// its own directory, from there, bit for bit.
  RunResult fit(Module& module, DataModule& data, const std::string& resume = {});
  /// Trains a new run that has the history of another up to a checkpoint, named by `from` as by `resume` above (where
  /// options.run_dir means the new run), and goes on from there: with other options, say. That run is not changed, and
  /// may be running. What operators sent to it after the checkpoint is not repeated.
  RunResult fork(Module& module, DataModule& data, const std::string& from);
  /// Run one evaluation. `checkpoint`: empty for the module's weights as they are; else as `resume` above, taking the
  /// weights alone.
  RunResult validate(Module& module, DataModule& data, const std::string& checkpoint = {});
  RunResult test(Module& module, DataModule& data, const std::string& checkpoint = {});
  RunResult predict(Module& module, DataModule& data, const std::string& checkpoint = {});

  /// Sends an operator's command to the run: recorded, then carried out at the next batch boundary, or refused there.
  /// Any thread, while a call runs: false when none does, or when 1024 commands wait already. `from` names the sender.
  bool send(v1::Command command, std::string from = "operator");

  const TrainerOptions& options() const;
  /// State of every callback that has one and ran in the last call, by state key: the Trainer's own ones too. Between
  /// calls only.
  std::map<std::string, StateDict> callback_states() const;
  /// What the next runs record as their configuration, as a JSON object; by default the trainer's options.
  void set_config(std::string json);

 private:
  template <class T>
  CallbackHandle<T> add_slot(std::shared_ptr<T> callback, std::string name, const CallbackPolicy& policy,
                             CallbackFactory<T> factory) {
    auto slot = std::make_shared<CallbackSlot<T>>(CallbackSlot<T>{std::move(callback)});
    add_callback(make_callback(slot, std::move(name), policy, std::move(factory)));
    return CallbackHandle<T>(std::move(slot));
  }

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace troupe
