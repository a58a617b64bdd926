#pragma once

#include <string>

#include "runtime/mode.h"
#include "runtime/run_state.h"

namespace troupe {

/// Names that RunState::metric() knows now, for error messages: "`acc`, `loss`"; "none" if there are none.
std::string logged_metric_names(const RunState& run);

}  // namespace troupe
