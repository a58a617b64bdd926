#pragma once

#include <filesystem>
#include <string>

#include "actors/checkpoint_finder.h"
#include "runtime/event.h"
#include "runtime/trainer_options.h"

namespace troupe {

// Where a call of the Trainer starts from, and where it writes.

/// Name of a run: that of its directory, as UTF-8.
std::string run_name(const std::filesystem::path& run_directory);

/// The checkpoint that `from` names. `last_fit`: the run that the Trainer trained last, where "last" and "best" of an
/// evaluation mean that; empty for none. Throws as find_checkpoint, and ConfigError where a run is to go on from a file
/// that lies in none.
FoundCheckpoint find_start(const std::string& from, CheckpointUse use, const TrainerOptions& options,
                           const std::filesystem::path& last_fit);

/// The directory of the run that goes on. Throws ConfigError when options.run_dir names another one.
std::filesystem::path resumed_directory(const FoundCheckpoint& resumed, const TrainerOptions& options);

/// options.run_dir, or a new one under default_root_dir/name. Throws ConfigError when there is a run in it.
std::filesystem::path new_run_directory(const TrainerOptions& options);

/// Where an evaluation of `found` writes its log; null: of the weights as they are.
std::filesystem::path evaluation_directory(Stage stage, const FoundCheckpoint* found, const TrainerOptions& options,
                                           const std::filesystem::path& last_fit);

/// Makes `directory` a run that begins as a copy of the checkpoint's; `found` is then the checkpoint in it.
void fork_into(const std::filesystem::path& directory, FoundCheckpoint& found);

}  // namespace troupe
