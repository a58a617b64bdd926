#include "troupe/runtime/log/event_log_segments.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <system_error>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr size_t kDigits = 8;

/// 0 for a file that is no segment.
uint32_t segment_number(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  const bool digits = stem.size() == kDigits && stem.find_first_not_of("0123456789") == std::string::npos;
  return digits && path.extension() == ".tfrecord" ? static_cast<uint32_t>(std::stoul(stem)) : 0;
}

}  // namespace

std::filesystem::path log_segment_path(const std::filesystem::path& events_dir, uint32_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%08u.tfrecord", number);
  return events_dir / name;
}

std::vector<LogSegment> list_log_segments(const std::filesystem::path& events_dir) {
  std::vector<LogSegment> segments;
  std::error_code error;
  if (!std::filesystem::exists(events_dir, error) && !error) {
    return segments;
  }
  auto entry = std::filesystem::directory_iterator(events_dir, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (const uint32_t number = segment_number(entry->path()); number != 0) {
      segments.push_back({number, entry->path()});
    }
  }
  if (error) {
    throw IoError("cannot list " + events_dir.string() + ": " + error.message());
  }
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return segments;
}

}  // namespace troupe
