#pragma once

#include <string>
#include <string_view>

#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/options/mode.h"

namespace troupe {

/// What a callback says of a metric that RunState::metric() does not know, with those that it does:
/// "EarlyStopping: metric 'val_los' is missing; logged so far: 'acc', 'val_loss'".
std::string missing_metric(std::string_view callback, const std::string& metric, const RunState& run);

}  // namespace troupe
