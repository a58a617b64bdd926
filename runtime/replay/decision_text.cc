#include "troupe/runtime/replay/decision_text.h"

#include "troupe/runtime/event/round.h"

namespace troupe {

std::string decision_text(const v1::Command& command) {
  const auto* field = command.GetReflection()->GetOneofFieldDescriptor(command, command.GetDescriptor()->oneof_decl(0));
  std::string name(command_name(command));
  if (field == nullptr) {
    return name;
  }
  const std::string fields = command.GetReflection()->GetMessage(command, field).ShortDebugString();
  return fields.empty() ? name : name + " { " + fields + " }";
}

std::string decision_text(const Event& applied_or_refused) {
  if (applied_or_refused.has_command_refused()) {
    return decision_text(applied_or_refused.command_refused().command()) +
           ", refused: " + applied_or_refused.command_refused().reason();
  }
  return decision_text(applied_or_refused.command_applied().command());
}

}  // namespace troupe
