#include "troupe/runtime/event/message_texts.h"

#include <vector>

#include "troupe/runtime/base/utf8.h"

namespace troupe {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// The fields that are set.
std::vector<const FieldDescriptor*> fields_of(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

void repair_messages(Message& message, const FieldDescriptor* field) {
  const auto& reflection = *message.GetReflection();
  if (!field->is_repeated()) {
    return repair_texts(*reflection.MutableMessage(&message, field));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    repair_texts(*reflection.MutableRepeatedMessage(&message, field, i));
  }
}

void repair_strings(Message& message, const FieldDescriptor* field) {
  const auto& reflection = *message.GetReflection();
  if (!field->is_repeated()) {
    return reflection.SetString(&message, field, to_utf8(reflection.GetString(message, field)));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    reflection.SetRepeatedString(&message, field, i, to_utf8(reflection.GetRepeatedString(message, field, i)));
  }
}

}  // namespace

std::string find_broken_text(const Message& message) {
  const auto& reflection = *message.GetReflection();
  for (const auto* field : fields_of(message)) {
    const int values = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < values; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        std::string broken = find_broken_text(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                                   : reflection.GetMessage(message, field));
        if (!broken.empty()) {
          return broken;
        }
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        std::string scratch;
        if (!is_utf8(field->is_repeated() ? reflection.GetRepeatedStringReference(message, field, i, &scratch)
                                          : reflection.GetStringReference(message, field, &scratch))) {
          return field->full_name();
        }
      }
    }
  }
  return {};
}

void repair_texts(Message& message) {
  if (find_broken_text(message).empty()) {  // Nearly always: what is sound is not touched.
    return;
  }
  for (const auto* field : fields_of(message)) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      repair_messages(message, field);
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      repair_strings(message, field);
    }
  }
}

}  // namespace troupe
