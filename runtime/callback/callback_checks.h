#pragma once

#include <concepts>
#include <type_traits>

#include "troupe/runtime/callback/callback_mistakes.h"

/// What does not compile as a callback. Each message says what to write (docs/callbacks.md, "What does not compile");
/// tests/compile_fail has a case for each.
namespace troupe::callback_detail {

/// The hooks of T for E, which is an event or a listed message.
template <class T, class E>
constexpr void check_hook() {
  static_assert(!WrongFirst<T, E>,
                "a hook takes its event by reference to const: write void on(const E&), not E, E& or E&&");
  static_assert(!WrongSecond<T, E>,
                "the second parameter of on() is none, const troupe::RunState&, const troupe::StepOutputs&, "
                "troupe::Control& or troupe::Live&, exactly so");
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

template <class T, class M>
constexpr void check_user_hook() {
  static_assert(std::derived_from<M, google::protobuf::Message> && !EventBody<M> && !std::same_as<M, Event>,
                "UserEvents lists protobuf messages of your own: Troupe's events need no listing");
  if constexpr (std::derived_from<M, google::protobuf::Message>) {
    check_hook<T, M>();
    static_assert(forms<T, M>() > 0, "UserEvents lists a message that no on() takes: write void on(const M&)");
  }
}

template <class T, class... M>
constexpr void check_user_hooks(UserEventTypes<M...> /*types*/) {
  (check_user_hook<T, M>(), ...);
}

template <class T>
constexpr void check_user_events() {
  static_assert(HasUserEvents<T> || !NamesUserEvents<T>,
                "UserEvents must be a public type: using UserEvents = troupe::UserEventTypes<my::Message>;");
  if constexpr (HasUserEvents<T>) {
    static_assert(IsUserEventTypes<typename T::UserEvents>::value,
                  "UserEvents must be a list: using UserEvents = troupe::UserEventTypes<my::Message>;");
    if constexpr (IsUserEventTypes<typename T::UserEvents>::value) {
      check_user_hooks<T>(typename T::UserEvents());
    }
  }
}

/// What is wrong about all of T's overloads of on() together.
template <class T>
constexpr void check_class() {
  static_assert(!WrongEvent<T>,
                "on() takes something that is no event: take one of troupe's (docs/events.md), and list a protobuf "
                "message of your own, using UserEvents = troupe::UserEventTypes<my::Message>;");
  static_assert(!Controls<T, Event> && !Lives<T, Event> && !ObservesOutputs<T, Event>,
                "on(const Event&, Control&) is not allowed: a controller names the events it decides on");
  static_assert(hooks<T>() > 0 || HasUserEvents<T>,
                "this callback has no legal hook: write void on(const E&), void on(const E&, const RunState&) or "
                "void on(const E&, Control&), public, with an event such as troupe::ValidationEnded for E");
}

/// Every hook of T.
template <class T>
constexpr void check_hooks() {
  check_hook<T, Event>();
#define TROUPE_CHECK_HOOK(Message, field) check_hook<T, Message>();
  TROUPE_EVENTS(TROUPE_CHECK_HOOK)
#undef TROUPE_CHECK_HOOK
  check_user_events<T>();
}

/// A member that has the name of an optional one must be it.
template <class T>
constexpr void check_members() {
  static_assert(HasStateDict<T> || !NamesStateDict<T>,
                "state_dict() must be public: troupe::StateDict state_dict() const;");
  static_assert(HasLoadStateDict<T> || !NamesLoadStateDict<T>,
                "load_state_dict() must be public: void load_state_dict(const troupe::StateDict& state);");
  static_assert(HasStateDict<T> == HasLoadStateDict<T>,
                "state_dict() and load_state_dict() go together: write both, troupe::StateDict state_dict() const; and "
                "void load_state_dict(const troupe::StateDict& state);, or neither");
  static_assert(HasStateKey<T> || !NamesStateKey<T>, "state_key() must be public: std::string state_key() const;");
  static_assert(HasTakesStateOf<T> || !NamesTakesStateOf<T>,
                "takes_state_of() must be public: bool takes_state_of(const std::string& state_key) const;");
  static_assert(HasAskWhen<T> || !NamesAskWhen<T>,
                "ask_when() must be public: std::vector<troupe::AskWhen> ask_when() const;");
  static_assert(HasTakesEvents<T> || !NamesTakesEvents<T>,
                "takes_events() must be public: troupe::EventTypeSet takes_events() const;");
  static_assert(HasPolicy<T> || !NamesPolicy<T>,
                "kPolicy must be public: static constexpr troupe::CallbackPolicy kPolicy = {...};");
  static_assert(HasRunDirectory<T> || !NamesRunDirectory<T>,
                "set_run_directory() must be public: void set_run_directory(const std::filesystem::path& directory);");
  static_assert(HasPrepareFiles<T> || !NamesPrepareFiles<T>,
                "prepare_files() must be public: void prepare_files(troupe::Stage stage);");
  static_assert(HasOutbox<T> || !NamesOutbox<T>,
                "set_outbox() must be public: void set_outbox(std::shared_ptr<troupe::Outbox> outbox);");
}

template <class T>
constexpr void check_callback() {
  check_hooks<T>();
  check_members<T>();
  check_class<T>();
}

/// For a T that comes without a factory.
template <class T>
constexpr void check_restarts() {
  static_assert(std::copy_constructible<T> || class_policy<T>().max_restarts.value_or(0) == 0,
                "this callback's kPolicy asks for restarts, but the class cannot be copied: add it with a factory, "
                "trainer.add_with<T>([] { return std::make_shared<T>(...); }), or set max_restarts to 0");
}

}  // namespace troupe::callback_detail
