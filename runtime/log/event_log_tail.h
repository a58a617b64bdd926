#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/file/damage.h"

namespace troupe {

// A power failure may leave the pages that were written since the last sync in any order, with zeros where one is
// missing: the last segment of a log then ends in damage that whole records may follow. Nothing of that was promised to
// be durable, so a run can go on from what comes before. Damage elsewhere is of bytes that had been durable and have
// changed since. Checkpoints tell one from the other: the log is durable up to a checkpoint before that gets its name.

/// A file in a run's checkpoints folder, and which checkpoint it holds.
struct ListedCheckpoint {
  std::filesystem::path file;
  std::string run_id;      ///< Of the run that took it,
  LogPlace taken;          ///< and where.
  std::string unreadable;  ///< Why it cannot be told; empty where it is.
  bool io_failed = false;  ///< The system did not give it, and may do so another time; otherwise it is damaged.
};

/// What is in the checkpoints folder of `run`, temporary files left out. Throws IoError when the folder cannot be
/// listed.
std::vector<ListedCheckpoint> list_checkpoints(const std::filesystem::path& run);

/// Judges what a reader of the log of `run` threw: the last event before the damage, after which the log may be cut
/// off. Throws CorruptionError, with the damage and what can be done, unless it lies in the last segment, is of a
/// record that does not fit its checksums, and no checkpoint in the run's checkpoints folder was taken behind it;
/// IoError where a checkpoint that could say so is there and the system does not give it.
LogPlace place_before_damage(const std::filesystem::path& run, const DamageError& error);

/// Throws CorruptionError when one of the run's checkpoints was taken behind `end`, the last event of its log: the log
/// has lost what was durable. They are to be listed before the log is read: a run that goes on meanwhile takes more.
void require_no_checkpoint_after(const std::filesystem::path& run, const std::vector<ListedCheckpoint>& checkpoints,
                                 LogPlace end);

}  // namespace troupe
