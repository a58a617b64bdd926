#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/callback.h"
#include "runtime/data_module.h"
#include "runtime/module.h"
#include "runtime/run_state.h"
#include "runtime/state_dict.h"
#include "runtime/trainer_options.h"

namespace troupe {

/// How a run ended, and what it came to.
struct RunResult {
  v1::RunStatus status = v1::RUN_STATUS_FINISHED;
  std::string reason;                   ///< One line: the limit, the vote or the signal that ended it.
  std::string stopped_by;               ///< State key of the callback whose vote stopped it; empty otherwise.
  std::string stop_reason;              ///< That vote's reason.
  int signal = 0;                       ///< The signal that interrupted it; 0 otherwise.
  std::string run_dir;                  ///< Where the log, the checkpoints and the loggers' files lie.
  RunState state;                       ///< The fold of the whole log: metrics, learning rates, checkpoints, ...
  MetricMap metrics;                    ///< Of validate and test: the means that the stage gave.
  std::vector<at::Tensor> predictions;  ///< Of predict: what predict_step gave, one tensor per batch, on the CPU.
};

/// A callback that the Trainer runs, for reading it before and after a run. During one it belongs to its actor.
template <class T>
class CallbackHandle {
 public:
  explicit CallbackHandle(std::shared_ptr<T> callback) : callback_(std::move(callback)) {}
  T& get() const { return *callback_; }

 private:
  std::shared_ptr<T> callback_;
};

/// Trains, validates, tests and predicts. Every call is a run with its own event log. The loop runs on the calling
/// thread; callbacks live in actors and cannot disturb it (docs/architecture.md). One call at a time.
///
/// Every call throws ConfigError (options, callbacks, data), MismatchError (a checkpoint of another model),
/// CorruptionError (a damaged file), IoError (log or data cannot be written or read), CallbackError (a controller
/// failed), and whatever the module throws.
class Trainer {
 public:
  /// Throws ConfigError when the options make no sense.
  explicit Trainer(TrainerOptions options = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Adds a callback: any class with hooks (runtime/callback.h). Order does not matter. `name` is the state key of a
  /// class that has no state_key().
  template <class T>
  CallbackHandle<T> add(T callback, std::string name = {}) {
    auto shared = std::make_shared<T>(std::move(callback));
    add_callback(make_callback(shared, std::move(name)));
    return CallbackHandle<T>(std::move(shared));
  }
  /// Adds a function as a callback: f(const E&), f(const E&, const RunState&) or f(const E&, Control&).
  template <EventBody E, class F>
  void on(std::string name, F function) {
    using Lambda = callback_detail::LambdaCallback<E, F>;
    add_callback(make_callback(std::make_shared<Lambda>(Lambda{std::move(function)}), std::move(name)));
  }
  /// Adds a callback whose class is erased already. Throws ConfigError for a second one with the same state key.
  void add_callback(std::unique_ptr<Callback> callback);

  /// Trains. `resume`: empty for a new run; else a checkpoint file, a run directory (its newest checkpoint), "last" or
  /// "best" (of the run in options.run_dir, or of the newest run under default_root_dir/name): then the run goes on in
  /// its own directory, from there, bit for bit.
  RunResult fit(Module& module, DataModule& data, const std::string& resume = {});
  /// Run one evaluation. `checkpoint`: empty for the module's weights as they are; else as `resume` above, taking the
  /// weights alone.
  RunResult validate(Module& module, DataModule& data, const std::string& checkpoint = {});
  RunResult test(Module& module, DataModule& data, const std::string& checkpoint = {});
  RunResult predict(Module& module, DataModule& data, const std::string& checkpoint = {});

  const TrainerOptions& options() const;
  /// State of every callback that has one and ran in the last call, by state key: the Trainer's own ones too. Between
  /// calls only.
  std::map<std::string, StateDict> callback_states() const;
  /// What the next runs record as their configuration, as a JSON object; by default the trainer's options.
  void set_config(std::string json);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace troupe
