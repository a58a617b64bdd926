#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/replay/replay.h"

namespace troupe {

/// A decision about an event, of other callbacks than the run had, or of the run's.
struct WhatIfDecision {
  enum class Side {
    kBoth,      ///< Both decided so.
    kWhatIf,    ///< The run's callbacks did not.
    kRecorded,  ///< The other callbacks would not have.
  };
  Side side;
  uint64_t seq;  ///< Of the event.
  Position position;
  std::string callback;  ///< State key.
  v1::Command command;   ///< Nothing set where its hook failed.
  std::string failure;   ///< What it threw then.
  bool known;            ///< The log is what the other callbacks would have seen. False behind WhatIfReport::unknown.
};

/// Where a run stops, or would have.
struct StopPlace {
  uint64_t seq = 0;
  Position position;
  std::string why;
};

struct WhatIfReport {
  uint64_t events = 0;
  uint64_t decisions = 0;               ///< Of the other callbacks.
  std::optional<StopPlace> would_stop;  ///< Where a vote of theirs would have ended the run.
  std::optional<StopPlace> ended;       ///< Where the run's training was when it ended; nothing for a log that has not.
  bool stopped = false;                 ///< It ended by votes.
  bool goes_on_behind = false;          ///< The run trained on behind would_stop.
  std::optional<StopPlace> unknown;     ///< From here on the log cannot know what would have been; why.
  std::vector<NotReplayable> not_replayable;  ///< Of the other callbacks.
  std::string problem;                        ///< As ReplayReport's.
};

/// Feeds the history of a run to other callbacks than it had, those of the JSON array `callbacks` (`file` names it in
/// errors), and hands what they would have decided to `take`, in order, beside what the run's own callbacks decided.
/// What the log says is true for them up to the first decision that would have changed the training. Minima of epochs
/// and steps are the recorded ones; a vote of theirs counts as it would have. Throws as replay_run, and ConfigError for
/// callbacks that cannot be made and for an array without any.
WhatIfReport replay_what_if(const CallbackRegistry& registry, const nlohmann::json& callbacks, const std::string& file,
                            const ReplayOptions& options, const std::function<void(const WhatIfDecision&)>& take);

}  // namespace troupe
