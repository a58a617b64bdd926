#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "troupe/runtime/file/damage.h"

namespace troupe {

/// What verify_event_log found. Counts are of what could be read.
struct LogReport {
  uint64_t segments = 0;
  uint64_t bytes = 0;
  uint64_t events = 0;
  uint64_t superseded = 0;  ///< Of the events, those that a later RunResumed supersedes.
  uint32_t incarnations = 0;
  uint64_t last_seq = 0;
  bool ended = false;  ///< The last event is RunEnded.
  std::vector<Damage> damages;

  bool sound() const { return damages.empty(); }
};

/// Checks every checksum, every event and every sequence number of a log, and reads on after damage. A torn tail is
/// damage here. Never writes; memory grows only with the number of damages. Throws IoError where there is no log or it
/// cannot be read.
LogReport verify_event_log(const std::filesystem::path& events_dir);

}  // namespace troupe
