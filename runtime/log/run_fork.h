#pragma once

#include <filesystem>
#include <optional>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {

/// A run in the making that has the history of another one up to one of its checkpoints, whose CheckpointTaken is the
/// last event of its log. It has that checkpoint and the others of its history, as far as their files hold them still
/// (hard links where the file system can), and copies of what loggers wrote. The other run may go on meanwhile, and is
/// not changed. A file that it removes meanwhile is left out.
class RunFork {
 public:
  /// Copies what there is to copy, under a temporary name beside `target`, where nothing is or an empty folder.
  /// `checkpoint` is a file in the run directory `run`, which was read as `data`.
  ///
  /// Throws CorruptionError when the log does not have the checkpoint; ConfigError when `target` has something in it or
  /// lies in `run`, or when the run keeps checkpoints outside of its directory: callbacks that are restored from its
  /// state would overwrite and remove them there; IoError, also when the run has replaced the checkpoint since.
  RunFork(const std::filesystem::path& run, const std::filesystem::path& checkpoint, const CheckpointData& data,
          const std::filesystem::path& target);
  /// Removes what was copied unless it was committed.
  ~RunFork();
  RunFork(const RunFork&) = delete;
  RunFork& operator=(const RunFork&) = delete;

  /// Gives the run its name; it is durable then. Returns the checkpoint's path in it. Throws IoError.
  std::filesystem::path commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::filesystem::path checkpoint_;    // Relative to the run directory.
  std::optional<RunDirectory> locked_;  // The temporary one, so that nobody takes it for one that was left behind.
};

}  // namespace troupe
