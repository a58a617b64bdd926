#pragma once

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Prints to standard error what a person must not miss: a warning for a callback that failed or was detached, a
/// checkpoint that could not be written or that training waited 100 ms or more for, a command that was refused; and
/// where a run goes on. Does nothing for other events.
void report_to_console(const Event& event);

}  // namespace troupe
