#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/callback.h"

/// What the compiler finds out about a callback's class: which overloads of on() it has, and whether they are legal.
/// What is not legal does not compile, and the message says what to write.
namespace troupe::callback_detail {

template <class T, class E>
concept ObservesPlain = requires(T& callback, const E& event) {
  callback.on(event);
};
template <class T, class E>
concept ObservesWithRun = requires(T& callback, const E& event, const RunState& run) {
  callback.on(event, run);
};
template <class T, class E>
concept ObservesOutputs = requires(T& callback, const E& event, const StepOutputs& outputs) {
  callback.on(event, outputs);
};
template <class T, class E>
concept Controls = requires(T& callback, const E& event, Control& control) {
  callback.on(event, control);
};
template <class T, class E>
concept Lives = requires(T& callback, const E& event, Live& live) {
  callback.on(event, live);
};
template <class T, class E>
concept Observes = ObservesPlain<T, E> || ObservesWithRun<T, E> || ObservesOutputs<T, E>;

/// Becomes whatever a parameter asks for.
struct Anything {
  template <class U>
  operator U&() const;  // NOLINT(google-explicit-constructor)
  template <class U>
  operator U&&() const;  // NOLINT(google-explicit-constructor)
};

template <class T, class E>
constexpr int forms() {
  return int{ObservesPlain<T, E>} + int{ObservesWithRun<T, E>} + int{ObservesOutputs<T, E>} + int{Controls<T, E>} +
         int{Lives<T, E>};
}

/// A second parameter that is none of the four.
template <class T, class E>
concept WrongSecond = forms<T, E>()
== 0 && requires(T& callback, const E& event) {
  callback.on(event, Anything());
};
/// An event that the hook could change.
template <class T, class E>
concept WrongConst = forms<T, E>()
== 0 && requires(T& callback, E& event) {
  callback.on(event);
};

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

template <class T>
concept HasAskWhen = requires(const T& callback) {
  { callback.ask_when() } -> std::convertible_to<std::vector<AskWhen>>;
};

template <class T>
concept HasOutbox = requires(T& callback, std::shared_ptr<Outbox> outbox) {
  callback.set_outbox(std::move(outbox));
};

template <class T>
concept HasPolicy = requires {
  { T::kPolicy } -> std::convertible_to<CallbackPolicy>;
};

template <class T>
concept HasUserEvents = requires {
  typename T::UserEvents;
};

template <class T>
constexpr CallbackPolicy class_policy() {
  if constexpr (HasPolicy<T>) {
    return T::kPolicy;
  } else {
    return {};
  }
}

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
TROUPE_NOT_ASKABLE(CallbackEventsDropped)
TROUPE_NOT_ASKABLE(CallbackHealthReported)
TROUPE_NOT_ASKABLE(CallbackEmitted)
TROUPE_NOT_ASKABLE(CheckpointTaken)
TROUPE_NOT_ASKABLE(CheckpointSaved)
TROUPE_NOT_ASKABLE(CheckpointFailed)
TROUPE_NOT_ASKABLE(CheckpointRemoved)
TROUPE_NOT_ASKABLE(RunEnded)
#undef TROUPE_NOT_ASKABLE

/// Whether tensors travel beside E.
template <class E>
inline constexpr bool kHasOutputs = std::same_as<E, TrainBatchEnded> || std::same_as<E, ValidationBatchEnded> ||
                                    std::same_as<E, TestBatchEnded> || std::same_as<E, PredictBatchEnded>;

template <class T, class E>
constexpr void check_hook() {
  static_assert(!WrongConst<T, E>, "a hook takes its event by reference to const: write void on(const E&)");
  static_assert(!WrongSecond<T, E>,
                "the second parameter of on() is none, const troupe::RunState&, const troupe::StepOutputs&, "
                "troupe::Control& or troupe::Live&");
  static_assert(kAskable<E> || !(Controls<T, E> || Lives<T, E>),
                "no controller is asked about this event: take it as an observer, on(const E&) or on(const E&, const "
                "RunState&)");
  static_assert(kHasOutputs<E> || !ObservesOutputs<T, E>,
                "no tensors travel beside this event: StepOutputs come with TrainBatchEnded, ValidationBatchEnded, "
                "TestBatchEnded and PredictBatchEnded");
  static_assert(forms<T, E>() <= 1,
                "this callback has two forms of on() for one event: keep one of on(const E&), on(const E&, const "
                "RunState&), on(const E&, const StepOutputs&), on(const E&, Control&) and on(const E&, Live&)");
}

template <class T>
constexpr void check_class() {
  static_assert(hooks<T>() > 0 || HasUserEvents<T>,
                "this callback has no legal hook: write void on(const E&), void on(const E&, const RunState&) or "
                "void on(const E&, Control&), public, with an event such as troupe::ValidationEnded for E");
  static_assert(!Controls<T, Event> && !Lives<T, Event> && !ObservesOutputs<T, Event>,
                "on(const Event&, Control&) is not allowed: a controller names the events it decides on");
}

template <class T, class E>
void find_hook(CallbackInfo& info) {
  check_hook<T, E>();
  info.observes.set(EventTraits<E>::kType, Observes<T, E>);
  info.run_state.set(EventTraits<E>::kType, ObservesWithRun<T, E>);
  info.outputs.set(EventTraits<E>::kType, ObservesOutputs<T, E>);
  info.controls.set(EventTraits<E>::kType, Controls<T, E>);
  info.lives.set(EventTraits<E>::kType, Lives<T, E>);
}

template <class T, class M>
void find_user_hook(CallbackInfo& info) {
  check_hook<T, M>();
  static_assert(std::derived_from<M, google::protobuf::Message>, "UserEvents lists protobuf messages");
  static_assert(forms<T, M>() == 1, "UserEvents lists a message that no on() takes: write void on(const M&)");
  constexpr EventType kType = Event::kUserEvent;
  info.observes.set(kType, info.observes[kType] || Observes<T, M>);
  info.run_state.set(kType, info.run_state[kType] || ObservesWithRun<T, M>);
  info.controls.set(kType, info.controls[kType] || Controls<T, M>);
  info.lives.set(kType, info.lives[kType] || Lives<T, M>);
  info.user_events.push_back(M::descriptor()->full_name());
}

template <class T, class... M>
void find_user_hooks(CallbackInfo& info, UserEventTypes<M...> /*types*/) {
  (find_user_hook<T, M>(info), ...);
}

/// Adds what on(const Event&) takes: every recorded event that has no hook of its own.
void add_every_recorded_event(CallbackInfo& info, bool with_run_state);
/// Fills in the policy's defaults. Throws ConfigError for one that the callback cannot have.
void resolve_policy(CallbackInfo& info, bool renewable);

template <class T>
CallbackInfo inspect(const T& callback, std::string name, const CallbackPolicy& policy, bool renewable) {
  check_class<T>();
  CallbackInfo info;
  info.type = readable_type_name(typeid(T));
  info.state_key = name.empty() ? info.type : std::move(name);
  if constexpr (HasStateKey<T>) {
    info.state_key = callback.state_key();
  }
  info.stateful = HasState<T>;
  info.policy = policy;
#define TROUPE_FIND_HOOK(Message, field) find_hook<T, Message>(info);
  TROUPE_EVENTS(TROUPE_FIND_HOOK)
#undef TROUPE_FIND_HOOK
  if constexpr (HasUserEvents<T>) {
    find_user_hooks<T>(info, typename T::UserEvents());
  }
  if constexpr (HasAskWhen<T>) {
    info.ask_when = callback.ask_when();
  }
  if constexpr (ObservesPlain<T, Event> || ObservesWithRun<T, Event>) {
    add_every_recorded_event(info, ObservesWithRun<T, Event>);
  }
  resolve_policy(info, renewable);
  return info;
}

}  // namespace troupe::callback_detail
