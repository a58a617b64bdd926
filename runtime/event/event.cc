#include "troupe/runtime/event/event.h"

#include <algorithm>
#include <array>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

std::vector<EventInfo> read_schema() {
  std::vector<EventInfo> infos;
  const auto* body = v1::Event::descriptor()->FindOneofByName("body");
  for (int i = 0; i < body->field_count(); ++i) {
    const auto* field = body->field(i);
    const auto& options = field->message_type()->options();
    infos.push_back({static_cast<EventType>(field->number()), field->message_type()->name(), field->name(),
                     options.GetExtension(v1::hook), options.GetExtension(v1::transient),
                     options.GetExtension(v1::environmental)});
  }
  std::sort(infos.begin(), infos.end(), [](const EventInfo& a, const EventInfo& b) { return a.type < b.type; });
  return infos;
}

}  // namespace

const std::vector<EventInfo>& all_event_infos() {
  static const std::vector<EventInfo> infos = read_schema();
  return infos;
}

const EventInfo& event_info(EventType type) {
  static const auto by_number = [] {
    std::array<const EventInfo*, kEventTypeMax> table{};
    for (const auto& info : all_event_infos()) {
      table[static_cast<size_t>(info.type)] = &info;
    }
    return table;
  }();
  const auto number = static_cast<size_t>(type);
  if (number >= by_number.size() || by_number[number] == nullptr) {
    throw CorruptionError("event type " + std::to_string(number) + " is not in the schema of this version");
  }
  return *by_number[number];
}

const EventInfo* find_event_info(std::string_view name) {
  const auto& infos = all_event_infos();
  const auto found = std::find_if(infos.begin(), infos.end(), [&](const EventInfo& info) { return info.name == name; });
  return found == infos.end() ? nullptr : &*found;
}

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case v1::STAGE_FIT:
      return "fit";
    case v1::STAGE_SANITY_CHECK:
      return "sanity_check";
    case v1::STAGE_VALIDATE:
      return "validate";
    case v1::STAGE_TEST:
      return "test";
    case v1::STAGE_PREDICT:
      return "predict";
    default:
      return "none";
  }
}

}  // namespace troupe
