#include "troupe/deploy/event_text.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kSummaryLengthMax = 160;

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

std::string scalar_text(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, &field);
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
    default:
      return std::string("{").append(reflection.GetMessage(message, &field).ShortDebugString()).append("}");
  }
}

std::string field_text(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) {
    return field.name() + "=" + scalar_text(message, field);
  }
  const auto& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (field.message_type() != Metric::descriptor()) {
    return field.name() + "=[" + std::to_string(size) + "]";
  }
  std::string text;
  for (int i = 0; i < size; ++i) {
    const auto& metric = static_cast<const Metric&>(reflection.GetRepeatedMessage(message, &field, i));
    text.append(i == 0 ? "" : " ").append(metric.name()).append("=").append(number_text(metric.value()));
  }
  return text;
}

std::string body_text(const Event& event) {
  const auto* body_field = Event::descriptor()->FindFieldByNumber(event.body_case());
  const Message& body = event.GetReflection()->GetMessage(event, body_field);
  std::vector<const FieldDescriptor*> fields;
  body.GetReflection()->ListFields(body, &fields);
  std::string text;
  for (const auto* field : fields) {
    text.append(text.empty() ? "" : " ").append(field_text(body, *field));
  }
  for (char& letter : text) {
    letter = letter == '\n' || letter == '\t' ? ' ' : letter;
  }
  if (text.size() > kSummaryLengthMax) {
    text.resize(kSummaryLengthMax);
    text += "...";
  }
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
