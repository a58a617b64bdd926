#pragma once

#include <string>
#include <typeinfo>
#include <utility>

#include "troupe/runtime/callback/callback_checks.h"

/// What a callback of a class that passes the checks is and takes.
namespace troupe::callback_detail {

template <class T, class E>
void find_hook(CallbackInfo& info) {
  info.observes.set(EventTraits<E>::kType, Observes<T, E>);
  info.run_state.set(EventTraits<E>::kType, ObservesWithRun<T, E>);
  info.outputs.set(EventTraits<E>::kType, ObservesOutputs<T, E>);
  info.controls.set(EventTraits<E>::kType, Controls<T, E>);
  info.lives.set(EventTraits<E>::kType, Lives<T, E>);
}

template <class T, class M>
void find_user_hook(CallbackInfo& info) {
  constexpr EventType kType = Event::kUserEvent;
  for (const EventType carrier : {kType, Event::kCallbackEmitted}) {
    info.observes.set(carrier, info.observes[carrier] || Observes<T, M>);
    info.run_state.set(carrier, info.run_state[carrier] || ObservesWithRun<T, M>);
  }
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
/// Throws ConfigError for a line that would have no effect.
void check_ask_when(const CallbackInfo& info);
/// Leaves out every hook of an event that is not in `taken`.
void narrow(CallbackInfo& info, const EventTypeSet& taken);
/// Fills in the policy's defaults. Throws ConfigError for one that the callback cannot have.
void resolve_policy(CallbackInfo& info, bool renewable);

template <class T>
CallbackInfo inspect(const T& callback, std::string name, const CallbackPolicy& policy, bool renewable) {
  check_callback<T>();
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
  if constexpr (ObservesPlain<T, Event> || ObservesWithRun<T, Event>) {
    add_every_recorded_event(info, ObservesWithRun<T, Event>);
  }
  if constexpr (HasTakesEvents<T>) {
    narrow(info, callback.takes_events());
  }
  if constexpr (HasAskWhen<T>) {
    info.ask_when = callback.ask_when();
    check_ask_when(info);
  }
  resolve_policy(info, renewable);
  return info;
}

}  // namespace troupe::callback_detail
