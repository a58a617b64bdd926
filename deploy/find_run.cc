#include "troupe/deploy/find_run.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {

RunPaths find_run(const std::filesystem::path& root) {
  RunPaths paths{root};
  if (!std::filesystem::is_directory(root)) {
    throw IoError("no run directory " + root.string() + ": expected a folder with " +
                  log_segment_path("events", 1).string());
  }
  if (!has_run(root)) {
    throw IoError(root.string() + " is not a run directory: expected " + log_segment_path(paths.events(), 1).string());
  }
  return paths;
}

}  // namespace troupe
