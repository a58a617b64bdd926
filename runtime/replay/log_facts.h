#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sequence.h"

namespace troupe {

/// What a replay has to know of a log before it comes to it: who took part in each process's part of the run, which
/// hooks failed there, and how far a process repeated what an earlier one had done. Grows with the callbacks, their
/// failures and the checkpoints, not with the log. Immutable.
class LogFacts {
 public:
  /// Reads the whole log, superseded events too. Throws as EventLogReader.
  static LogFacts read(const std::filesystem::path& events_dir);

  /// The callbacks of the process with this number, in the order in which they were added.
  const std::vector<v1::CallbackAttached>& attached(uint32_t incarnation) const;
  /// What a hook of the callback threw at this event; null where nothing is recorded.
  const std::string* failure(LogPlace place, const std::string& state_key) const;
  /// Whether the event was given up for the callback after failures.
  bool skipped(LogPlace place, const std::string& state_key) const;
  /// Landmarks that the process with this number had before it when it started, because an earlier one had come so far:
  /// up to there clocks decide nothing anew.
  uint64_t landmarks_ahead(uint32_t incarnation) const;

 private:
  using AtCallback = std::pair<LogPlace, std::string>;
  class Collector;

  std::map<uint32_t, std::vector<v1::CallbackAttached>> attached_;
  std::map<AtCallback, std::string> failures_;
  std::set<AtCallback> skipped_;
  std::map<uint32_t, uint64_t> landmarks_ahead_;
};

}  // namespace troupe
