#include "troupe/runtime/event/message_fields.h"

#include <troupe/v1/checkpoint.pb.h>

#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/file/crc32c.h"

namespace troupe {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// Never the text of an integer.
std::string double_text(double value) {
  const std::string text = shortest_text(value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string string_text(const std::string& value) {
  return "\"" + value + "\"";
}

std::string bytes_text(const std::string& value) {
  return std::to_string(value.size()) + " bytes with CRC32C " + std::to_string(crc32c(bytes_of(value)));
}

/// A foreign name as one part of ours: in quotes where it could pass for several, or for the end of one.
std::string part(const std::string& name, const char* ends) {
  if (!name.empty() && name.find_first_of(ends) == std::string::npos && name.find('"') == std::string::npos) {
    return name;
  }
  std::string quoted;
  for (const char letter : name) {
    quoted.append(letter == '"' || letter == '\\' ? "\\" : "").append(1, letter);
  }
  return string_text(quoted);
}

/// "list[3]"; "list[key]" where the element says what it is called.
std::string element_name(const std::string& list, const Message& element, int index) {
  for (const char* key : {"name", "state_key", "parameter"}) {
    const auto* field = element.GetDescriptor()->FindFieldByName(key);
    if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
      return list + "[" + part(element.GetReflection()->GetString(element, field), "]") + "]";
    }
  }
  return list + "[" + std::to_string(index) + "]";
}

class Collector {
 public:
  std::map<std::string, std::string> take() { return std::move(fields_); }

  void add_message(const Message& message, const std::string& name) {
    if (message.GetDescriptor() == v1::StateDict::descriptor()) {
      return add_dict(static_cast<const v1::StateDict&>(message), name);
    }
    const auto& descriptor = *message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const auto* field = descriptor.field(i);
      const std::string field_name = name.empty() ? field->name() : name + "." + field->name();
      if (field->is_repeated()) {
        add_list(message, *field, field_name);
      } else if (!field->has_presence() || message.GetReflection()->HasField(message, field)) {
        add_single(message, *field, field_name);
      }
    }
  }

 private:
  void add_dict(const v1::StateDict& dict, const std::string& name) {
    for (const auto& entry : dict.entries()) {
      add_value(entry.value(), name + "." + part(entry.name(), ".[]"));
    }
  }

  void add_value(const v1::StateValue& value, const std::string& name) {
    switch (value.value_case()) {
      case v1::StateValue::kDict:
        fields_[name] = std::to_string(value.dict().entries_size()) + " entries";
        return add_dict(value.dict(), name);
      case v1::StateValue::kList:
        fields_[name] = std::to_string(value.list().values_size()) + " values";
        for (int i = 0; i < value.list().values_size(); ++i) {
          add_value(value.list().values(i), name + "[" + std::to_string(i) + "]");
        }
        return;
      case v1::StateValue::kNone:
      case v1::StateValue::VALUE_NOT_SET:
        fields_[name] = "none";
        return;
      default:
        add_single(value, *v1::StateValue::descriptor()->FindFieldByNumber(value.value_case()), name);
    }
  }

  void add_list(const Message& message, const FieldDescriptor& field, const std::string& name) {
    const Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        const Message& element = reflection.GetRepeatedMessage(message, &field, i);
        add_message(element, element_name(name, element, i));
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        fields_[name + "[" + std::to_string(i) + "]"] = string_text(reflection.GetRepeatedString(message, &field, i));
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        fields_[name + "[" + std::to_string(i) + "]"] = double_text(reflection.GetRepeatedDouble(message, &field, i));
      } else {
        fields_[name + "[" + std::to_string(i) + "]"] = "of a type that cannot be compared";
      }
    }
  }

  void add_single(const Message& message, const FieldDescriptor& field, const std::string& name) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return add_message(reflection.GetMessage(message, &field), name);
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string value = reflection.GetString(message, &field);
        fields_[name] = field.type() == FieldDescriptor::TYPE_BYTES ? bytes_text(value) : string_text(value);
        return;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
        fields_[name] = double_text(reflection.GetDouble(message, &field));
        return;
      case FieldDescriptor::CPPTYPE_FLOAT:
        fields_[name] = double_text(reflection.GetFloat(message, &field));
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        fields_[name] = reflection.GetBool(message, &field) ? "true" : "false";
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        fields_[name] = reflection.GetEnum(message, &field)->name();
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        fields_[name] = std::to_string(reflection.GetInt32(message, &field));
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        fields_[name] = std::to_string(reflection.GetInt64(message, &field));
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        fields_[name] = std::to_string(reflection.GetUInt32(message, &field));
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        fields_[name] = std::to_string(reflection.GetUInt64(message, &field));
    }
  }

  std::map<std::string, std::string> fields_;
};

}  // namespace

std::map<std::string, std::string> message_fields(const google::protobuf::Message& message, const std::string& prefix) {
  Collector collector;
  collector.add_message(message, prefix);
  return collector.take();
}

}  // namespace troupe
