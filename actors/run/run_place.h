#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "troupe/actors/storage/checkpoint_finder.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/log/run_fork.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

// Where a call of the Trainer starts from, and where it writes.

/// The checkpoint that `from` names. `last_fit`: the run that the Trainer trained last, where "last" and "best" of an
/// evaluation mean that; empty for none. Throws as find_checkpoint, and ConfigError where a run is to go on from a file
/// that lies in none.
FoundCheckpoint find_start(const std::string& from, CheckpointUse use, const TrainerOptions& options,
                           const std::filesystem::path& last_fit);

/// options.run_dir, or a new one under default_root_dir/name. Throws ConfigError when there is a run in it.
std::filesystem::path new_run_directory(const TrainerOptions& options);

/// Where an evaluation of `found` writes its log; null: of the weights as they are.
std::filesystem::path evaluation_directory(Stage stage, const FoundCheckpoint* found, const TrainerOptions& options,
                                           const std::filesystem::path& last_fit);

/// Where a fit starts from, and where it writes.
struct FitPlace {
  std::filesystem::path path;             ///< Of the run directory.
  std::optional<FoundCheckpoint> found;   ///< Nothing for a new run.
  std::optional<RunDirectory> directory;  ///< Of a run that goes on from the beginning, of another one once it is open.
  std::unique_ptr<RunFork> fork;          ///< Until it is open.

  /// Makes a fork a run of its own, of which `found` is then the checkpoint, and locks the directory of a new run.
  const RunDirectory& open();
};

/// `from`: as Trainer::fit and fork have it; empty for a new run. A run that goes on is locked before its log is read;
/// of one that is forked, which may go on, all that is needed is copied. Throws as find_start, new_run_directory and
/// RunFork, and ConfigError when options.run_dir names another run than the one to be resumed.
FitPlace find_fit_place(const std::string& from, CheckpointUse use, const TrainerOptions& options);

}  // namespace troupe
