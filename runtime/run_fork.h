#pragma once

#include <filesystem>

namespace troupe {

/// Makes `target` a run of its own with the history of `run` up to `checkpoint`, one of its files, whose
/// CheckpointTaken is then the last event of its log. It gets that file and the other checkpoints that were there by
/// then (hard links where the file system can), and copies of what loggers wrote; `run` may go on while this is done,
/// and is not changed. `target` appears whole or not at all, and may be an empty folder before. Returns the
/// checkpoint's path in it.
///
/// Throws CorruptionError when the log does not have the checkpoint, ConfigError when `target` has something in it,
/// IoError.
std::filesystem::path fork_run(const std::filesystem::path& run, const std::filesystem::path& checkpoint,
                               const std::filesystem::path& target);

}  // namespace troupe
