#pragma once

#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// A command on one line, every field as protobuf's text format has it: `Stop { reason: "..." }`.
std::string decision_text(const v1::Command& command);

/// What the log says of a command: the same, with why it was refused.
std::string decision_text(const Event& applied_or_refused);

}  // namespace troupe
