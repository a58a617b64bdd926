#include "troupe/runtime/event/user_event.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/event/message_texts.h"

namespace troupe {
namespace {

struct Setter {
  v1::NamedValue& named;
  void operator()(double value) const { named.set_double_value(value); }
  void operator()(int64_t value) const { named.set_int_value(value); }
  void operator()(const std::string& value) const { named.set_string_value(value); }
  void operator()(bool value) const { named.set_bool_value(value); }
};

}  // namespace

v1::UserEvent make_user_event(const google::protobuf::Message& message) {
  v1::UserEvent event;
  event.set_type(message.GetDescriptor()->full_name());
  event.set_payload(message.SerializeAsString());
  return event;
}

v1::UserEvent make_user_event(std::string type, const EventValues& values) {
  if (type.empty()) {
    throw ConfigError("emit: an event of named values needs a name for its type");
  }
  v1::UserEvent event;
  event.set_type(std::move(type));
  for (const auto& [name, value] : values) {
    auto& named = *event.add_values();
    named.set_name(name);
    std::visit(Setter{named}, value);
  }
  if (!find_broken_text(event).empty()) {
    throw ConfigError("emit('" + printable(event.type()) +
                      "'): its type, and the names and texts of its values, must be UTF-8; emit a message with a field "
                      "of bytes for others");
  }
  return event;
}

EventValues event_values(const v1::UserEvent& event) {
  EventValues values;
  for (const auto& named : event.values()) {
    switch (named.value_case()) {
      case v1::NamedValue::kIntValue:
        values[named.name()] = int64_t{named.int_value()};
        break;
      case v1::NamedValue::kStringValue:
        values[named.name()] = named.string_value();
        break;
      case v1::NamedValue::kBoolValue:
        values[named.name()] = named.bool_value();
        break;
      default:
        values[named.name()] = named.double_value();
    }
  }
  return values;
}

void parse_user_event(const v1::UserEvent& event, google::protobuf::Message& message, std::string_view callback) {
  if (!message.ParseFromString(event.payload())) {
    throw CorruptionError("callback " + std::string(callback) + ": the payload of a UserEvent of type '" +
                          event.type() + "' (" + std::to_string(event.payload().size()) +
                          " bytes) is not a message of that type");
  }
}

}  // namespace troupe
