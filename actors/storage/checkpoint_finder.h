#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// What a checkpoint is wanted for.
enum class CheckpointUse {
  kResume,   ///< The run goes on: not from what it has superseded.
  kFork,     ///< Another run begins there.
  kWeights,  ///< All that a weights-only file can give.
};

/// A checkpoint to start from.
struct FoundCheckpoint {
  std::filesystem::path file;           ///< Empty: the run has none yet, and starts over.
  std::filesystem::path run_directory;  ///< Of the run that took it; empty when it lies in none.
  CheckpointData data;                  ///< Verified. Where the run starts over: what RunStarted says.
  std::string run_id = {};              ///< Of the run that goes on from it; empty where it has no event yet.
  std::string forked_from = {};         ///< Id of the run that took it, where another one goes on.
  /// Newer checkpoints of the run that could not be used.
  std::vector<std::filesystem::path> passed_over = {};
  /// Set where the run's log ends in damage that a power failure explains: the last event before it. The writer cuts
  /// off what follows.
  std::optional<LogPlace> log_damage_after = {};

  bool starts_over() const { return file.empty(); }
};

/// Finds and reads what `what` names: a checkpoint file; a run directory or "last", its newest checkpoint; "best", the
/// best one by its monitor. "last" and "best" mean the run in options.run_dir, or else the newest run under
/// default_root_dir/name. A newest checkpoint that is damaged or cannot be read is reported on standard error and the
/// one before it taken. The run may be going on. One that died before its first checkpoint was saved can be resumed
/// too, not forked: from its beginning.
///
/// Throws ConfigError when there is nothing to find, the file that is named is no checkpoint at all, or when the run
/// cannot go on from the file that is named, which a later part of it has superseded or another run has taken;
/// CorruptionError when that file is damaged, no sound one is left, one that was saved is gone, or the log has lost
/// events that had been durable; IoError when the file that is named or the only one that is sound cannot be read.
FoundCheckpoint find_checkpoint(const std::string& what, const TrainerOptions& options, CheckpointUse use);

}  // namespace troupe
