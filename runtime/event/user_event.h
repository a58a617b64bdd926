#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "troupe/runtime/event/event.h"

namespace troupe {

using EventValue = std::variant<double, int64_t, std::string, bool>;
using EventValues = std::map<std::string, EventValue>;

/// An event of the user's own protobuf type; its name is the message's full name.
v1::UserEvent make_user_event(const google::protobuf::Message& message);
/// An event of named values. Throws ConfigError for an empty name, and for texts that are not UTF-8.
v1::UserEvent make_user_event(std::string type, const EventValues& values);
/// The values of an event that has no message.
EventValues event_values(const v1::UserEvent& event);
/// Reads the message of an event of that type for the callback with this state key. Throws CorruptionError when the
/// payload is no such message: a log of another schema, or a damaged one.
void parse_user_event(const v1::UserEvent& event, google::protobuf::Message& message, std::string_view callback);

/// The protobuf messages that a class takes as events: `using UserEvents = troupe::UserEventTypes<my::Trade>;` makes
/// `on(const my::Trade&)` a hook like any other.
template <class... Messages>
struct UserEventTypes {};

/// Takes what an observer emits, from any thread: the events come as CallbackEmitted, when the observer gets there.
/// A class with `void set_outbox(std::shared_ptr<troupe::Outbox>)` is given one before its first hook.
class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual void emit(v1::UserEvent event) = 0;
};

}  // namespace troupe
