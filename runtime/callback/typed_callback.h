#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "troupe/runtime/callback/callback_inspection.h"

namespace troupe {

/// Makes a callback anew.
template <class T>
using CallbackFactory = std::function<std::shared_ptr<T>()>;

/// Where a callback's object is: a restart puts another one there.
template <class T>
struct CallbackSlot {
  std::shared_ptr<T> callback;
};

namespace callback_detail {

/// What copies of a callback are made from: a copy of its own, as it is now. Empty where T cannot be copied.
template <class T>
CallbackFactory<T> copies_of(const T& callback) {
  if constexpr (std::copy_constructible<T>) {
    return [pristine = std::make_shared<const T>(callback)] { return std::make_shared<T>(*pristine); };
  } else {
    return {};
  }
}

template <class T>
class TypedCallback final : public Callback {
 public:
  TypedCallback(std::shared_ptr<CallbackSlot<T>> slot, std::string name, const CallbackPolicy& policy,
                CallbackFactory<T> factory)
      : Callback(inspect(*slot->callback, std::move(name), policy, static_cast<bool>(factory))),
        slot_(std::move(slot)),
        factory_(std::move(factory)) {}

  void observe(const Observation& observation) override {
    const Event& event = observation.event;
    switch (event.body_case()) {
#define TROUPE_OBSERVE(Message, field)        \
  case Event::k##Message:                     \
    observe_body(event.field(), observation); \
    break;
      TROUPE_EVENTS(TROUPE_OBSERVE)
#undef TROUPE_OBSERVE
      default:
        break;
    }
  }

  void control(const Event& event, Control& control) override {
    decide(event, control);
  }
  void live(const Event& event, Live& live) override {
    decide(event, live);
  }

  StateDict state_dict() const override {
    if constexpr (HasState<T>) {
      return slot_->callback->state_dict();
    } else {
      return {};
    }
  }

  void load_state_dict([[maybe_unused]] const StateDict& state) override {
    if constexpr (HasState<T>) {
      slot_->callback->load_state_dict(state);
    }
  }

  bool takes_state_of([[maybe_unused]] const std::string& state_key) const override {
    if constexpr (HasState<T> && HasTakesStateOf<T>) {
      return slot_->callback->takes_state_of(state_key);
    } else {
      return false;
    }
  }

  void set_run_directory([[maybe_unused]] const std::filesystem::path& run_directory) override {
    if constexpr (HasRunDirectory<T>) {
      slot_->callback->set_run_directory(run_directory);
    }
  }

  void prepare_files([[maybe_unused]] Stage stage) override {
    if constexpr (HasPrepareFiles<T>) {
      slot_->callback->prepare_files(stage);
    }
  }

  void set_outbox([[maybe_unused]] std::shared_ptr<Outbox> outbox) override {
    if constexpr (HasOutbox<T>) {
      slot_->callback->set_outbox(std::move(outbox));
    }
  }

  bool renew() override {
    if (!factory_) {
      return false;
    }
    slot_->callback = factory_();
    return true;
  }

 private:
  template <class E>
  void observe_body([[maybe_unused]] const E& body, [[maybe_unused]] const Observation& observation) {
    [[maybe_unused]] T& callback = *slot_->callback;
    if constexpr (std::same_as<E, UserEvent> && HasUserEvents<T>) {
      if (observe_message(body, observation, typename T::UserEvents())) {
        return;
      }
    }
    if constexpr (std::same_as<E, CallbackEmitted> && HasUserEvents<T>) {
      if (observe_message(body.event(), observation, typename T::UserEvents())) {
        return;
      }
    }
    if constexpr (Observes<T, E>) {
      call_observer(callback, body, observation);
    } else if constexpr (Controls<T, E> || Lives<T, E>) {
      // Its place is a round, not the lane.
    } else if constexpr (Observes<T, Event>) {
      call_observer(callback, observation.event, observation);
    }
  }

  template <class E>
  static void call_observer(T& callback, const E& body, [[maybe_unused]] const Observation& observation) {
    if constexpr (ObservesPlain<T, E>) {
      callback.on(body);
    } else if constexpr (ObservesWithRun<T, E>) {
      callback.on(body, observation.run);
    } else if constexpr (ObservesOutputs<T, E>) {
      if (observation.outputs != nullptr) {
        callback.on(body, *observation.outputs);
      }
    }
  }

  /// Whether the event is one of the messages that the class takes by type.
  template <class... M>
  bool observe_message(const UserEvent& event, const Observation& observation, UserEventTypes<M...> /*types*/) {
    const auto try_type = [&]<class Message>(Message message) {
      if (event.type() != Message::descriptor()->full_name()) {
        return false;
      }
      if constexpr (Observes<T, Message>) {
        parse_user_event(event, message, info().state_key);
        call_observer(*slot_->callback, message, observation);
      }
      return true;
    };
    return (try_type(M()) || ...);
  }

  template <class... M, class Power>
  bool decide_message(const UserEvent& event, Power& power, UserEventTypes<M...> /*types*/) {
    const auto try_type = [&]<class Message>(Message message) {
      if (event.type() != Message::descriptor()->full_name()) {
        return false;
      }
      decide_on(message, event, power);
      return true;
    };
    return (try_type(M()) || ...);
  }

  template <class Message, class Power>
  void decide_on(Message& message, const UserEvent& event, Power& power) {
    constexpr bool kTakes = std::same_as<Power, Control> ? Controls<T, Message> : Lives<T, Message>;
    if constexpr (kTakes) {
      parse_user_event(event, message, info().state_key);
      slot_->callback->on(std::as_const(message), power);
    }
  }

  /// Runs the hook that takes this event with this power: a Control or a Live.
  template <class Power>
  void decide(const Event& event, Power& power) {
    switch (event.body_case()) {
#define TROUPE_DECIDE(Message, field)  \
  case Event::k##Message:              \
    decide_body(event.field(), power); \
    break;
      TROUPE_EVENTS(TROUPE_DECIDE)
#undef TROUPE_DECIDE
      default:
        break;
    }
  }

  template <class E, class Power>
  void decide_body([[maybe_unused]] const E& body, [[maybe_unused]] Power& power) {
    if constexpr (std::same_as<E, UserEvent> && HasUserEvents<T>) {
      if (decide_message(body, power, typename T::UserEvents())) {
        return;
      }
    }
    constexpr bool kTakes = std::same_as<Power, Control> ? Controls<T, E> : Lives<T, E>;
    if constexpr (kTakes) {
      slot_->callback->on(body, power);
    }
  }

  std::shared_ptr<CallbackSlot<T>> slot_;
  CallbackFactory<T> factory_;
};

/// One hook as a callback: what Trainer::on makes.
template <EventBody E, class F>
struct LambdaCallback {
  F hook;

  void on(const E& event) requires std::invocable<F&, const E&> { hook(event); }
  void on(const E& event, const RunState& run) requires std::invocable<F&, const E&, const RunState&> {
    hook(event, run);
  }
  void on(const E& event, const StepOutputs& outputs) requires std::invocable<F&, const E&, const StepOutputs&> {
    hook(event, outputs);
  }
  void on(const E& event, Control& control) requires std::invocable<F&, const E&, Control&> { hook(event, control); }
  void on(const E& event, Live& live) requires std::invocable<F&, const E&, Live&> { hook(event, live); }
};

}  // namespace callback_detail

/// Erases the class of a callback. `slot` is shared with whoever wants to read it after the run. `name` is the state
/// key of a class that has no state_key() of its own; by default that is its type's name. `factory` makes what a
/// restart puts in the slot; by default copies of the callback as it is now, where it can be copied. Throws ConfigError
/// for a policy that the callback cannot have.
template <class T>
std::unique_ptr<Callback> make_callback(std::shared_ptr<CallbackSlot<T>> slot, std::string name = {},
                                        const CallbackPolicy& policy = callback_detail::class_policy<T>(),
                                        CallbackFactory<T> factory = {}) {
  if (!factory) {
    factory = callback_detail::copies_of(*slot->callback);
  }
  return std::make_unique<callback_detail::TypedCallback<T>>(std::move(slot), std::move(name), policy,
                                                             std::move(factory));
}

/// The same for a callback that nobody else reads, or only while it has not been restarted.
template <class T>
std::unique_ptr<Callback> make_callback(std::shared_ptr<T> callback, std::string name = {},
                                        const CallbackPolicy& policy = callback_detail::class_policy<T>()) {
  callback_detail::check_restarts<T>();
  return make_callback(std::make_shared<CallbackSlot<T>>(CallbackSlot<T>{std::move(callback)}), std::move(name),
                       policy);
}

}  // namespace troupe
