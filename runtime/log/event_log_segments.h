#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace troupe {

/// One file of an event log.
struct LogSegment {
  uint32_t number;  ///< 1, 2, 3, ...
  std::filesystem::path path;
};

/// <events_dir>/00000001.tfrecord for number 1.
std::filesystem::path log_segment_path(const std::filesystem::path& events_dir, uint32_t number);

/// The segments in `events_dir` by number; other files are passed over. Empty where there is no such folder.
/// Throws IoError when the folder cannot be read.
std::vector<LogSegment> list_log_segments(const std::filesystem::path& events_dir);

}  // namespace troupe
