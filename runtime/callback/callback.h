#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/callback/callback_policy.h"
#include "troupe/runtime/callback/control.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

class Live;          // runtime/loop/live.h
struct StepOutputs;  // runtime/module/step_outputs.h

/// What a callback was found to be and take.
struct CallbackInfo {
  std::string type;                      ///< Class name without the namespace troupe.
  std::string state_key;                 ///< Names it in events, checkpoints and errors; unique in a run.
  EventTypeSet observes;                 ///< Delivered asynchronously.
  EventTypeSet controls;                 ///< The loop waits for the answer.
  EventTypeSet lives;                    ///< The loop lends itself: the hook runs on its thread with the live module.
  EventTypeSet run_state;                ///< Those of `observes` whose hook takes the RunState.
  EventTypeSet outputs;                  ///< Those of `observes` whose hook takes the StepOutputs.
  std::vector<std::string> user_events;  ///< Types of UserEvent that it takes by name; sorted.
  std::vector<AskWhen> ask_when;         ///< When it wants to be asked; empty: always.
  CallbackPolicy policy;                 ///< With every default resolved but deadline_s.
  bool stateful = false;                 ///< Has state_dict().

  /// Whether the run depends on what it says.
  bool decides() const { return controls.any() || lives.any(); }
};

/// What an observer hook is run on.
struct Observation {
  const Event& event;
  const RunState& run;                   ///< Exactly after the event.
  const StepOutputs* outputs = nullptr;  ///< This step's tensors; null where there are none, or none any more.
};

/// A callback with its class erased. Its owner calls it from one thread at a time; hooks may throw anything.
class Callback {
 public:
  explicit Callback(CallbackInfo info) : info_(std::move(info)) {}
  virtual ~Callback() = default;
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  const CallbackInfo& info() const { return info_; }

  /// Runs the observer hook for this event, if there is one.
  virtual void observe(const Observation& observation) = 0;
  /// Runs the controller hook for this event, if there is one.
  virtual void control(const Event& event, Control& control) = 0;
  /// Runs the Live hook for this event, if there is one. On the loop's thread.
  virtual void live(const Event& event, Live& live) = 0;
  /// The state to keep in a checkpoint; empty where the class has none.
  virtual StateDict state_dict() const = 0;
  virtual void load_state_dict(const StateDict& state) = 0;
  /// Whether a state that was saved under this key, which no callback of the run has, may be one of its own.
  virtual bool takes_state_of(const std::string& /*state_key*/) const { return false; }
  /// Tells the callback where the run keeps its files, before any hook runs and before its state is loaded.
  virtual void set_run_directory(const std::filesystem::path& run_directory) = 0;
  /// Lets the callback make, or try, the files that a run of this stage writes, before any hook runs and before its
  /// state is loaded. What it throws ends the call before it has begun.
  virtual void prepare_files(Stage stage) = 0;
  /// Gives it what it emits events of its own through, before any hook runs.
  virtual void set_outbox(std::shared_ptr<Outbox> outbox) = 0;
  /// Replaces the object by one as it was when it was added. False where there is no way to make one.
  virtual bool renew() = 0;

 private:
  CallbackInfo info_;
};

/// `Namespace::Class` of a type as people write it, without a leading "troupe::" and without unnamed namespaces.
std::string readable_type_name(const std::type_info& type);

}  // namespace troupe
