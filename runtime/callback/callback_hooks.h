#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "troupe/runtime/callback/callback.h"

/// What a callback's class may have, as the compiler sees it: the forms of on() and the optional members.
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

template <class T, class E>
constexpr int forms() {
  return int{ObservesPlain<T, E>} + int{ObservesWithRun<T, E>} + int{ObservesOutputs<T, E>} + int{Controls<T, E>} +
         int{Lives<T, E>};
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
concept HasStateDict = requires(const T& callback) {
  { callback.state_dict() } -> std::convertible_to<StateDict>;
};
template <class T>
concept HasLoadStateDict = requires(T& callback, const StateDict& state) {
  callback.load_state_dict(state);
};
template <class T>
concept HasState = HasStateDict<T> && HasLoadStateDict<T>;

template <class T>
concept HasRunDirectory = requires(T& callback, const std::filesystem::path& path) {
  callback.set_run_directory(path);
};

template <class T>
concept HasPrepareFiles = requires(T& callback, Stage stage) {
  callback.prepare_files(stage);
};

template <class T>
concept HasStateKey = requires(const T& callback) {
  { callback.state_key() } -> std::convertible_to<std::string>;
};

template <class T>
concept HasTakesStateOf = requires(const T& callback, const std::string& state_key) {
  { callback.takes_state_of(state_key) } -> std::convertible_to<bool>;
};

template <class T>
concept HasAskWhen = requires(const T& callback) {
  { callback.ask_when() } -> std::convertible_to<std::vector<AskWhen>>;
};

template <class T>
concept HasTakesEvents = requires(const T& callback) {
  { callback.takes_events() } -> std::convertible_to<EventTypeSet>;
};

template <class T>
concept HasOutbox = requires(T& callback, std::shared_ptr<Outbox> outbox) {
  callback.set_outbox(std::move(outbox));
};

template <class T>
concept HasPolicy = requires {
  { T::kPolicy } -> std::convertible_to<CallbackPolicy>;
  typename std::bool_constant<(CallbackPolicy(T::kPolicy), true)>;
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
TROUPE_NOT_ASKABLE(CheckpointWaited)
TROUPE_NOT_ASKABLE(RunEnded)
#undef TROUPE_NOT_ASKABLE

/// Whether tensors travel beside E.
template <class E>
inline constexpr bool kHasOutputs = std::same_as<E, TrainBatchEnded> || std::same_as<E, ValidationBatchEnded> ||
                                    std::same_as<E, TestBatchEnded> || std::same_as<E, PredictBatchEnded>;

}  // namespace troupe::callback_detail
