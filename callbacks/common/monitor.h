#pragma once

#include <string>

#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/options/mode.h"

namespace troupe {

/// Names that RunState::metric() knows now, for error messages: "`acc`, `loss`"; "none" if there are none.
std::string logged_metric_names(const RunState& run);

}  // namespace troupe
