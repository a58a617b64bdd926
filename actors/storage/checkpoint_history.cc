#include "troupe/actors/storage/checkpoint_history.h"

#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_tail.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// Up to the event at `last`, or to the end.
CheckpointHistory fold_history(const fs::path& run, const std::optional<LogPlace>& last) {
  CheckpointHistory history;
  history.run_name = run_name(run);
  CheckpointTaker taker;
  history.state = fold_event_log(RunPaths{run}.events(), [&](const RunState& state, const Event& event) {
    const LogPlace place{state.incarnation(), state.seq()};
    if (event.has_run_started()) {  // Or the fold has begun again.
      history.started = event.run_started();
      history.taken.clear();
      history.forked_at = {};
      taker = {history.started.run_id(), {}};
    } else if (!event.run_resumed().forked_from().empty()) {
      history.forked_at = place;
      taker = {{}, event.run_resumed().forked_from()};
    } else if (event.has_checkpoint_taken()) {
      history.taken.emplace(place, taker);
    }
    return last == place;
  });
  return history;
}

}  // namespace

bool CheckpointHistory::is_effective(const v1::CheckpointHeader& header) const {
  const auto found = taken.find({header.incarnation(), header.seq()});
  if (found == taken.end()) {
    return false;
  }
  const auto& [run_id, forked_from] = found->second;
  return run_id.empty() ? header.run_id() != forked_from || header.run_id() == run_name : header.run_id() == run_id;
}

CheckpointHistory read_checkpoint_history(const fs::path& run) {
  const auto checkpoints = list_checkpoints(run);
  try {
    CheckpointHistory history = fold_history(run, std::nullopt);
    fault_point("resume.log_read");
    require_no_checkpoint_after(run, checkpoints, history.end());
    return history;
  } catch (const DamageError& error) {
    const LogPlace last = place_before_damage(run, error);
    CheckpointHistory history = last.seq == 0 ? CheckpointHistory() : fold_history(run, last);
    history.damage_after = last;
    return history;
  }
}

}  // namespace troupe
