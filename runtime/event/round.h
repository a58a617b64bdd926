#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/event/event_sink.h"

namespace troupe {

/// Puts decisions into the order in which they are applied, whatever the order of the callbacks: by kind of command,
/// then by sender; what one sender commands of one kind stays in its order. Checkpoints are saved after everything
/// else, and removed last.
void sort_canonically(std::vector<Decision>& decisions);

/// Why each decision of a round contradicts another one, naming both senders; empty where it does not. In the order
/// given.
std::vector<std::string> find_contradictions(const std::vector<Decision>& decisions);

/// Whether it is one of the commands that are applied after all others.
bool is_about_checkpoints(const v1::Command& command);

/// Name of a command's kind: "Stop", "SaveCheckpoint", ...
std::string_view command_name(const v1::Command& command);

}  // namespace troupe
