#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>

#include "runtime/control.h"
#include "runtime/event.h"
#include "runtime/run_state.h"
#include "runtime/state_dict.h"

namespace troupe {

/// What a callback was found to be and take.
struct CallbackInfo {
  std::string type;        ///< Class name without the namespace troupe.
  std::string state_key;   ///< Names it in events, checkpoints and errors; unique in a run.
  EventTypeSet observes;   ///< Delivered asynchronously.
  EventTypeSet controls;   ///< The loop waits for the answer.
  EventTypeSet run_state;  ///< Those of `observes` whose hook takes the RunState.
  bool stateful = false;   ///< Has state_dict().
};

/// A callback with its class erased. Its owner calls it from one thread at a time; hooks may throw anything.
class Callback {
 public:
  explicit Callback(CallbackInfo info) : info_(std::move(info)) {}
  virtual ~Callback() = default;
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  const CallbackInfo& info() const { return info_; }

  /// Runs the observer hook for this event, if there is one. `run` is the state exactly after the event.
  virtual void observe(const Event& event, const RunState& run) = 0;
  /// Runs the controller hook for this event, if there is one.
  virtual void control(const Event& event, Control& control) = 0;
  /// The state to keep in a checkpoint; empty where the class has none.
  virtual StateDict state_dict() const = 0;
  virtual void load_state_dict(const StateDict& state) = 0;
  /// Tells the callback where the run keeps its files, before any hook runs and before its state is loaded.
  virtual void set_run_directory(const std::filesystem::path& run_directory) = 0;

 private:
  CallbackInfo info_;
};

/// `Namespace::Class` of a type as people write it, without a leading "troupe::".
std::string readable_type_name(const std::type_info& type);

namespace callback_detail {

template <class T, class E>
concept ObservesPlain = requires(T& callback, const E& event) {
  callback.on(event);
};
template <class T, class E>
concept ObservesWithRun = requires(T& callback, const E& event, const RunState& run) {
  callback.on(event, run);
};
template <class T, class E>
concept Controls = requires(T& callback, const E& event, Control& control) {
  callback.on(event, control);
};

template <class T, class E>
constexpr int forms() {
  return int{ObservesPlain<T, E>} + int{ObservesWithRun<T, E>} + int{Controls<T, E>};
}

template <class T>
constexpr int hooks() {
  int count = forms<T, Event>();
#define TROUPE_COUNT_HOOKS(Message, field) count += forms<T, Message>();
  TROUPE_EVENTS(TROUPE_COUNT_HOOKS)
#undef TROUPE_COUNT_HOOKS
  return count;
}

template <class T>
concept HasState = requires(const T& callback, T& mutable_callback, const StateDict& state) {
  { callback.state_dict() } -> std::convertible_to<StateDict>;
  mutable_callback.load_state_dict(state);
};

template <class T>
concept HasRunDirectory = requires(T& callback, const std::filesystem::path& path) {
  callback.set_run_directory(path);
};

template <class T>
concept HasStateKey = requires(const T& callback) {
  { callback.state_key() } -> std::convertible_to<std::string>;
};

/// Whether the loop can wait for an answer to E: not to what actors emit, and not to what answers bring on.
template <class E>
inline constexpr bool kAskable = true;
#define TROUPE_NOT_ASKABLE(Message) \
  template <>                       \
  inline constexpr bool kAskable<Message> = false;
TROUPE_NOT_ASKABLE(CommandApplied)
TROUPE_NOT_ASKABLE(CommandRefused)
TROUPE_NOT_ASKABLE(CallbackAttached)
TROUPE_NOT_ASKABLE(CallbackFailed)
TROUPE_NOT_ASKABLE(CallbackRestarted)
TROUPE_NOT_ASKABLE(CallbackEventSkipped)
TROUPE_NOT_ASKABLE(CallbackDetached)
TROUPE_NOT_ASKABLE(CheckpointTaken)
TROUPE_NOT_ASKABLE(CheckpointSaved)
TROUPE_NOT_ASKABLE(CheckpointFailed)
TROUPE_NOT_ASKABLE(CheckpointRemoved)
TROUPE_NOT_ASKABLE(RunEnded)
#undef TROUPE_NOT_ASKABLE

template <class T, class E>
void find_hook(CallbackInfo& info) {
  static_assert(
      kAskable<E> || !Controls<T, E>,
      "no controller is asked about this event: take it as an observer, on(const E&) or on(const E&, const RunState&)");
  static_assert(
      forms<T, E>() <= 1,
      "this callback has two forms of on() for one event: keep one of on(const E&), on(const E&, const RunState&) "
      "and on(const E&, Control&)");
  info.observes.set(EventTraits<E>::kType, ObservesPlain<T, E> || ObservesWithRun<T, E>);
  info.run_state.set(EventTraits<E>::kType, ObservesWithRun<T, E>);
  info.controls.set(EventTraits<E>::kType, Controls<T, E>);
}

/// Adds what on(const Event&) takes: every recorded event that has no hook of its own.
void add_every_recorded_event(CallbackInfo& info, bool with_run_state);

template <class T>
CallbackInfo inspect(const T& callback, std::string name) {
  static_assert(hooks<T>() > 0,
                "this callback has no legal hook: write void on(const E&), void on(const E&, const RunState&) or "
                "void on(const E&, Control&), public, with an event such as troupe::ValidationEnded for E");
  static_assert(!Controls<T, Event>,
                "on(const Event&, Control&) is not allowed: a controller names the events it decides on");
  CallbackInfo info;
  info.type = readable_type_name(typeid(T));
  info.state_key = name.empty() ? info.type : std::move(name);
  if constexpr (HasStateKey<T>) {
    info.state_key = callback.state_key();
  }
  info.stateful = HasState<T>;
#define TROUPE_FIND_HOOK(Message, field) find_hook<T, Message>(info);
  TROUPE_EVENTS(TROUPE_FIND_HOOK)
#undef TROUPE_FIND_HOOK
  if constexpr (ObservesPlain<T, Event> || ObservesWithRun<T, Event>) {
    add_every_recorded_event(info, ObservesWithRun<T, Event>);
  }
  return info;
}

template <class T>
class TypedCallback final : public Callback {
 public:
  TypedCallback(std::shared_ptr<T> callback, std::string name)
      : Callback(inspect(*callback, std::move(name))), callback_(std::move(callback)) {}

  void observe(const Event& event, const RunState& run) override {
    switch (event.body_case()) {
#define TROUPE_OBSERVE(Message, field)       \
  case Event::k##Message:                    \
    observe_body(event.field(), event, run); \
    break;
      TROUPE_EVENTS(TROUPE_OBSERVE)
#undef TROUPE_OBSERVE
      default:
        break;
    }
  }

  void control(const Event& event, Control& control) override {
    switch (event.body_case()) {
#define TROUPE_CONTROL(Message, field)       \
  case Event::k##Message:                    \
    if constexpr (Controls<T, Message>) {    \
      callback_->on(event.field(), control); \
    }                                        \
    break;
      TROUPE_EVENTS(TROUPE_CONTROL)
#undef TROUPE_CONTROL
      default:
        break;
    }
  }

  StateDict state_dict() const override {
    if constexpr (HasState<T>) {
      return callback_->state_dict();
    } else {
      return {};
    }
  }

  void load_state_dict([[maybe_unused]] const StateDict& state) override {
    if constexpr (HasState<T>) {
      callback_->load_state_dict(state);
    }
  }

  void set_run_directory([[maybe_unused]] const std::filesystem::path& run_directory) override {
    if constexpr (HasRunDirectory<T>) {
      callback_->set_run_directory(run_directory);
    }
  }

 private:
  template <class E>
  void observe_body([[maybe_unused]] const E& body, [[maybe_unused]] const Event& event,
                    [[maybe_unused]] const RunState& run) {
    if constexpr (ObservesPlain<T, E>) {
      callback_->on(body);
    } else if constexpr (ObservesWithRun<T, E>) {
      callback_->on(body, run);
    } else if constexpr (Controls<T, E>) {
      // Its place is a round, not the lane.
    } else if constexpr (ObservesPlain<T, Event>) {
      callback_->on(event);
    } else if constexpr (ObservesWithRun<T, Event>) {
      callback_->on(event, run);
    }
  }

  std::shared_ptr<T> callback_;
};

/// One hook as a callback: what Trainer::on makes.
template <EventBody E, class F>
struct LambdaCallback {
  F hook;

  void on(const E& event) requires std::invocable<F&, const E&> { hook(event); }
  void on(const E& event, const RunState& run) requires std::invocable<F&, const E&, const RunState&> {
    hook(event, run);
  }
  void on(const E& event, Control& control) requires std::invocable<F&, const E&, Control&> { hook(event, control); }
};

}  // namespace callback_detail

/// Erases the class of a callback. `callback` is shared with whoever wants to read it after the run. `name` is the
/// state key of a class that has no state_key() of its own; by default that is its type's name.
template <class T>
std::unique_ptr<Callback> make_callback(std::shared_ptr<T> callback, std::string name = {}) {
  return std::make_unique<callback_detail::TypedCallback<T>>(std::move(callback), std::move(name));
}

}  // namespace troupe
