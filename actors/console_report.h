#pragma once

#include "runtime/event.h"

namespace troupe {

/// Prints a warning to standard error for the events that a person must not miss: a callback that failed or was
/// detached, a checkpoint that could not be written or that training waited 100 ms or more for, a command that was
/// refused. Does nothing for the others.
void report_to_console(const Event& event);

}  // namespace troupe
