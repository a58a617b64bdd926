#include "troupe/deploy/event_text.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string print_json(const Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  options.add_whitespace = pretty;
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &json, options); !status.ok()) {
    throw CorruptionError("cannot print " + message.GetTypeName() + " as JSON: " + std::string(status.message()));
  }
  return json;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string fields_text(const Message& message);

/// A message: its fields, or in a oneof of messages, "which{its fields}".
std::string message_text(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  const bool is_choice = fields.size() == 1 && fields[0]->real_containing_oneof() != nullptr &&
                         fields[0]->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_choice) {
    return fields[0]->name() + message_text(message.GetReflection()->GetMessage(message, fields[0]));
  }
  return "{" + fields_text(message) + "}";
}

std::string size_text(const std::string& bytes) {
  return std::to_string(bytes.size()) + (bytes.size() == 1 ? " byte" : " bytes");
}

/// A string; of bytes and of JSON, which tell nobody anything on one line, only the size.
std::string string_text(const FieldDescriptor& field, const std::string& value) {
  return field.type() == FieldDescriptor::TYPE_BYTES || field.name().ends_with("_json") ? size_text(value) : value;
}

/// A field that is not repeated.
std::string scalar_text(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return number_text(reflection.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return string_text(field, reflection.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnum(message, &field)->name();
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return message_text(reflection.GetMessage(message, &field));
  }
  return {};
}

/// What names an element of a list; empty where nothing does.
std::string name_of(const Message& element) {
  for (const char* name : {"name", "state_key"}) {
    if (const auto* field = element.GetDescriptor()->FindFieldByName(name)) {
      return scalar_text(element, *field);
    }
  }
  return {};
}

/// What an element of a list has as its `value`, or as the one of its oneof; none where it has no such field.
const FieldDescriptor* value_field(const Message& element) {
  const auto& descriptor = *element.GetDescriptor();
  if (descriptor.oneof_decl_count() == 1) {
    return element.GetReflection()->GetOneofFieldDescriptor(element, descriptor.oneof_decl(0));
  }
  return descriptor.FindFieldByName("value");
}

/// "loss=0.5" for what has a name and a value, the name alone for what has only one, else all of it.
std::string element_text(const Message& element) {
  const std::string name = name_of(element);
  if (const auto* value = value_field(element); !name.empty() && value != nullptr) {
    return name + "=" + scalar_text(element, *value);
  }
  return name.empty() ? message_text(element) : name;
}

std::string element_text(const Message& message, const FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return element_text(reflection.GetRepeatedMessage(message, &field, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return string_text(field, reflection.GetRepeatedString(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(reflection.GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(reflection.GetRepeatedUInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection.GetRepeatedUInt64(message, &field, index));
    default:
      return "?";
  }
}

std::string field_text(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) {
    return field.name() + "=" + scalar_text(message, field);
  }
  const bool is_metrics = field.message_type() == Metric::descriptor();  // Most of a log: nothing around them.
  std::string text;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    text.append(i == 0 ? "" : is_metrics ? " " : ", ").append(element_text(message, field, i));
  }
  return is_metrics ? text : field.name() + "=[" + text + "]";
}

std::string fields_text(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::string text;
  for (const auto* field : fields) {
    text.append(text.empty() ? "" : " ").append(field_text(message, *field));
  }
  return text;
}

std::string body_text(const Event& event) {
  const auto* body_field = Event::descriptor()->FindFieldByNumber(event.body_case());
  std::string text = fields_text(event.GetReflection()->GetMessage(event, body_field));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char letter) { return letter < ' ' || letter == 0x7f; }, ' ');
  return text;
}

}  // namespace

std::string to_json_line(const Message& message) {
  return print_json(message, false);
}

std::string to_pretty_json(const Message& message) {
  return print_json(message, true);
}

std::string to_text(const Position& position) {
  if (position.stage() == v1::STAGE_NONE) {
    return "-";
  }
  return std::string(stage_name(position.stage())) + " epoch " + std::to_string(position.epoch()) + " batch " +
         std::to_string(position.batch_index()) + " step " + std::to_string(position.global_step());
}

std::string to_text_line(const Event& event) {
  char columns[160];
  std::snprintf(columns, sizeof columns, "%8llu %12.6f  %-34s  %-22s  ", static_cast<unsigned long long>(event.seq()),
                static_cast<double>(event.elapsed_us()) * 1e-6, to_text(event.position()).c_str(),
                event_info(event.body_case()).name.c_str());
  std::string line = columns + body_text(event);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace troupe
