#pragma once

#include <troupe/v1/measured.pb.h>

#include <map>
#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Measurements by name.
using Measurements = std::map<std::string, double>;

/// The event by which an observer tells what it measured: a UserEvent whose message is a v1::Measured. It goes out
/// through the Outbox; a class takes it with `using UserEvents = UserEventTypes<v1::Measured>`. What depends on the
/// speed of the machine goes this way and never becomes a metric of the RunState.
v1::UserEvent measured_event(const Measurements& measurements);

}  // namespace troupe
