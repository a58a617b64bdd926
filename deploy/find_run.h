#pragma once

#include <filesystem>

#include "troupe/runtime/log/run_directory.h"

namespace troupe {

/// The paths of the run directory that a user named. Throws IoError, saying what is expected there, if it holds no
/// event log.
RunPaths find_run(const std::filesystem::path& root);

}  // namespace troupe
