#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>

#include "troupe/runtime/replay/what_if.h"

namespace troupe {

// What `replay` prints; docs/replay.md has both forms.

void print_text(std::ostream& out, const ReplayReport& report);
nlohmann::json to_json(const ReplayReport& report);

void print_text(std::ostream& out, const WhatIfDecision& decision);
nlohmann::json to_json(const WhatIfDecision& decision);
/// What comes after the decisions.
void print_text(std::ostream& out, const WhatIfReport& report);
nlohmann::json to_json(const WhatIfReport& report);

nlohmann::json position_json(const Position& position);

}  // namespace troupe
