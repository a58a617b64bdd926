#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// The run directory that a checkpoint file belongs to: the folder above its "checkpoints", if that has an event log.
std::optional<std::filesystem::path> run_directory_of(const std::filesystem::path& checkpoint);

/// The run directory that `resume` means: itself if it is one; for "last" and "best" the one in options.run_dir, or
/// else the newest run under default_root_dir/name; the one that a checkpoint file belongs to, or an empty path for a
/// file that lies in none. Throws ConfigError, saying what is allowed, when there is no such run or file.
std::filesystem::path run_to_resume(const std::string& resume, const TrainerOptions& options);

}  // namespace troupe
