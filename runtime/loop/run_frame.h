#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/module/module.h"

namespace troupe {

/// Thrown at a batch boundary when a signal or an operator asks the run to end; its checkpoint, if any, has been taken.
struct Interrupted {
  int signal = 0;      ///< 0: an operator asked.
  std::string reason;  ///< One line.
};

Interrupted interrupted_by(int signal);
Interrupted stopped_by_operator(const std::string& from, const std::string& reason);

/// "SIGTERM" for 15.
std::string signal_name(int signal);

/// The event that records a signal before it takes effect.
InputRecorded input_of_signal(int signal);

/// The module between its setup and its teardown hook.
class ModuleScope {
 public:
  /// Calls setup, then moves the module to the device of this name unless it is empty. Throws as find_device.
  ModuleScope(Module& module, Stage stage, const std::string& device = {});
  /// Calls teardown, unless tear_down() has done so; what it throws is dropped.
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

  Module& module() { return module_; }
  Stage stage() const { return stage_; }
  /// Calls teardown the first time.
  void tear_down();

 private:
  Module& module_;
  Stage stage_;
  bool is_up_ = true;
};

/// The data module between its prepare_data and setup hooks and its teardown hook, likewise.
class DataScope {
 public:
  DataScope(DataModule& data, Stage stage);
  ~DataScope();
  DataScope(const DataScope&) = delete;
  DataScope& operator=(const DataScope&) = delete;

  void tear_down();

 private:
  DataModule& data_;
  Stage stage_;
  bool is_up_ = true;
};

/// A run that has begun and is set up: its first event is in the log. What its controllers answered to that is carried
/// out when the run goes on.
struct OpenedRun {
  EventEmitter::HandedOver opening;

  /// How long the run has run for those who ask for its time: the set-up does not count.
  uint64_t elapsed_us() const { return opening.event->elapsed_us(); }
};

/// The first event of a process's part of a run, or a run of which it has been emitted.
using RunOpening = std::variant<RunStarted, RunResumed, OpenedRun>;

/// Emits the opening of a new run, then has `set_up` call the program's hooks up to the module's setup, with which it
/// fills `scope`, and beyond. What that throws is in the log and reaches the caller: on_exception where there is a
/// scope, ExceptionRaised, the module's teardown, TornDown; what controllers commanded is refused.
OpenedRun open_run(EventSink& sink, RunStarted started, const std::shared_ptr<ModuleScope>& scope,
                   const std::function<void()>& set_up);

/// What takes a module's own events to the emitter, which must outlive it.
std::function<void(ModuleEvent)> publish_through(EventEmitter& emitter);

/// What happens around every run: the opening, SetUp, then `body`; on_exception and ExceptionRaised when it throws (but
/// not for Interrupted), then teardown and TornDown whatever happened. What `body` threw is what the caller gets.
void run_framed(EventEmitter& emitter, ModuleScope& scope, RunOpening opening, const std::function<void()>& body);

}  // namespace troupe
