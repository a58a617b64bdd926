#pragma once

#include <functional>

#include "troupe/runtime/event/event_emitter.h"

namespace troupe {

/// Takes the commands that operators have sent: for each in turn, records it, waits until it is in the log's file, and
/// then hands it to `apply` as a round of its own.
void record_inputs(EventEmitter& emitter, const std::function<void(const Round&)>& apply);

/// Whether an operator gave the command, not a callback.
bool is_operator(const Decision& decision);

/// The event that a Custom command emits.
v1::UserEvent user_event_of(const Decision& decision);

}  // namespace troupe
