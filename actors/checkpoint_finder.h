#pragma once

#include <filesystem>
#include <string>

#include "runtime/checkpoint_file.h"
#include "runtime/trainer_options.h"

namespace troupe {

/// What a checkpoint is wanted for: weights-only files can only give weights.
enum class CheckpointUse { kResume, kWeights };

/// A checkpoint to start from.
struct FoundCheckpoint {
  std::filesystem::path file;
  std::filesystem::path run_directory;  ///< Of the run that took it; empty when it lies in none.
  CheckpointData data;                  ///< Verified.
};

/// Finds and reads what `what` names: a checkpoint file; a run directory or "last", its newest checkpoint; "best", the
/// best one by its monitor. "last" and "best" mean the run in options.run_dir, or else the newest run under
/// default_root_dir/name. A damaged newest checkpoint is reported on standard error and the one before it taken. Throws
/// ConfigError when there is nothing to find, CorruptionError when a file that was named is damaged or no sound one is
/// left.
FoundCheckpoint find_checkpoint(const std::string& what, const TrainerOptions& options, CheckpointUse use);

}  // namespace troupe
