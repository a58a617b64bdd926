#pragma once

#include <cstdint>
#include <string>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// Where a replay and its log part.
struct Divergence {
  uint64_t seq = 0;      ///< Of the event that was decided on, or of the CheckpointTaken whose states differ.
  Position position;     ///< Of that event.
  std::string callback;  ///< State key.
  std::string recorded;  ///< What the log says, on one line; "nothing" for no decision.
  std::string replayed;
};

}  // namespace troupe
