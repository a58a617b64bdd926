#pragma once

#include <google/protobuf/message.h>

#include <concepts>
#include <type_traits>
#include <utility>

#include "troupe/runtime/callback/callback_hooks.h"

/// How the compiler sees what is wrong about a callback's class, where a call of the right form shows nothing: a copy
/// binds to what a reference binds to, and an overload or a member of the wrong type is only never called.
namespace troupe::callback_detail {

// Members of a name, whatever they are and however private: two of one name make it ambiguous. A final class hides
// them.
// NOLINTBEGIN(bugprone-macro-parentheses): a name that is declared stands in none.
#define TROUPE_MEMBER_NAMED(Concept, name)             \
  struct Concept##Here {                               \
    int name;                                          \
  };                                                   \
  template <class T>                                   \
  struct Concept##Twice : T, Concept##Here {};         \
  template <class T>                                   \
  concept Concept = !std::is_final_v<T> && !requires { \
    &Concept##Twice<T>::name;                          \
  };
// NOLINTEND(bugprone-macro-parentheses)
TROUPE_MEMBER_NAMED(NamesOn, on)
TROUPE_MEMBER_NAMED(NamesStateDict, state_dict)
TROUPE_MEMBER_NAMED(NamesLoadStateDict, load_state_dict)
TROUPE_MEMBER_NAMED(NamesStateKey, state_key)
TROUPE_MEMBER_NAMED(NamesTakesStateOf, takes_state_of)
TROUPE_MEMBER_NAMED(NamesAskWhen, ask_when)
TROUPE_MEMBER_NAMED(NamesTakesEvents, takes_events)
TROUPE_MEMBER_NAMED(NamesPolicy, kPolicy)
TROUPE_MEMBER_NAMED(NamesRunDirectory, set_run_directory)
TROUPE_MEMBER_NAMED(NamesPrepareFiles, prepare_files)
TROUPE_MEMBER_NAMED(NamesOutbox, set_outbox)
TROUPE_MEMBER_NAMED(NamesUserEvents, UserEvents)
#undef TROUPE_MEMBER_NAMED

/// What a call comes to where none of T's overloads can take it.
struct NoOverload {};

template <class T>
struct PublicOverloads : T {
  using T::on;  // An error here says that an overload of on() is private: make every on() public.
  NoOverload on(...) const;
};

/// Whether some overload of on() could take a call, be it an ambiguous one. For a final class: exactly one.
template <class T, class... A>
concept Takes = requires(T& callback) {
  callback.on(std::declval<A>()...);
}
|| (NamesOn<T> && !requires(PublicOverloads<T> & overloads) {
  { overloads.on(std::declval<A>()...) } -> std::same_as<NoOverload>;
});

/// Accepts one exact signature of a member, with whatever class and result. Nothing is accepted from a set of overloads
/// that has a template in it.
template <class... Parameters>
struct Signature {
  template <class C, class R>
  static void accept(R (C::*)(Parameters...));
  template <class C, class R>
  static void accept(R (C::*)(Parameters...) const);
  template <class R>
  static void accept(R (*)(Parameters...));
};
/// The same with any second parameter.
template <class First>
struct SignatureWithSecond {
  template <class C, class R, class Second>
  static void accept(R (C::*)(First, Second));
  template <class C, class R, class Second>
  static void accept(R (C::*)(First, Second) const);
  template <class R, class Second>
  static void accept(R (*)(First, Second));
};

template <class T, class... Parameters>
concept HasSignature = requires {
  Signature<Parameters...>::accept(&T::on);
};
template <class T, class First>
concept HasFirst = HasSignature<T, First> || requires {
  SignatureWithSecond<First>::accept(&T::on);
};

/// A hook that takes its event by value, or so that it could change it.
template <class T, class E>
concept WrongFirst = HasFirst<T, E> || HasFirst<T, E&> || HasFirst<T, E&&>;

template <class T, class... Types>
concept OneOf = (std::same_as<std::remove_const_t<T>, Types> || ...);

/// Becomes what a second parameter asks for, but for what one may ask for.
struct Unknown {
  template <class U>
  requires(!OneOf<U, RunState, StepOutputs, Control, Live>) operator U&() const;  // NOLINT(google-explicit-constructor)
  template <class U>
  requires(!OneOf<U, RunState, StepOutputs>) operator U&&() const;  // NOLINT(google-explicit-constructor)
};
template <class T, class E, class Facts>
concept WrongFacts =
    HasSignature<T, const E&, Facts> || HasSignature<T, const E&, Facts&> || HasSignature<T, const E&, Facts&&>;

/// A hook whose second parameter is none of the four.
template <class T, class E>
concept WrongSecond = Takes<T, const E&, Unknown> || WrongFacts<T, E, RunState> || WrongFacts<T, E, StepOutputs>;

/// Becomes whatever a parameter asks for.
struct Anything {
  template <class U>
  operator U&() const;  // NOLINT(google-explicit-constructor)
  template <class U>
  operator U&&() const;  // NOLINT(google-explicit-constructor)
};

template <class T>
struct IsUserEventTypes : std::false_type {};
template <class... M>
struct IsUserEventTypes<UserEventTypes<M...>> : std::true_type {};

template <class M, class T>
inline constexpr bool kLists = false;
template <class M, class... Listed>
inline constexpr bool kLists<M, UserEventTypes<Listed...>> = (std::same_as<M, Listed> || ...);

/// Whether on() of T may have U as its event.
template <class T, class U>
constexpr bool is_event_of() {
  if constexpr (EventBody<U> || std::same_as<U, Event>) {
    return true;
  } else if constexpr (HasUserEvents<T>) {
    return kLists<U, typename T::UserEvents>;
  } else {
    return false;
  }
}

/// Becomes what a first parameter asks for, if that is no event.
template <class T>
struct NoEvent {
  template <class U>
  requires(!is_event_of<T, std::remove_cv_t<U>>()) operator U&() const;  // NOLINT(google-explicit-constructor)
  template <class U>
  requires(!is_event_of<T, std::remove_cv_t<U>>()) operator U&&() const;  // NOLINT(google-explicit-constructor)
};
/// What only a template takes.
struct Stranger {};

/// An overload of on() for something that is no event.
template <class T>
concept WrongEvent = (Takes<T, NoEvent<T>> || Takes<T, NoEvent<T>, Anything>)&&!(Takes<T, Stranger> ||
                                                                                 Takes<T, Stranger, Anything>);

}  // namespace troupe::callback_detail
