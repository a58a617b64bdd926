#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/event/run_state.h"

namespace troupe {

/// Whose checkpoints a part of a log has: those of the run that began the log, or those of the one that was forked into
/// it, of which only the run before it is known for sure.
struct CheckpointTaker {
  std::string run_id;       ///< Of the first; empty for a fork.
  std::string forked_from;  ///< Of a fork.
};

/// What a log says of its run's checkpoints.
struct CheckpointHistory {
  std::string run_name;  ///< That of its directory: the id of a run that was forked into it.
  RunState state;
  RunStarted started;
  std::map<LogPlace, CheckpointTaker> taken;  ///< In the effective history.
  LogPlace forked_at;                         ///< The last RunResumed by which a fork began; no place in other runs.
  std::optional<LogPlace> damage_after;       ///< The log ends in what a power failure left.

  /// Its last event.
  LogPlace end() const { return {state.incarnation(), state.seq()}; }
  /// Whether the run took this checkpoint, and nothing has superseded it: another run, which it was forked from, may
  /// have taken one at the same place.
  bool is_effective(const v1::CheckpointHeader& header) const;
};

/// Reads it; the run may go on meanwhile. Throws CorruptionError where the log has lost events that had been durable.
CheckpointHistory read_checkpoint_history(const std::filesystem::path& run);

}  // namespace troupe
