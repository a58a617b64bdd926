#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// A value that two runs have each in its own way.
struct LogValueDifference {
  std::string name;
  std::string a;  ///< Empty: not there.
  std::string b;
  std::optional<double> by;  ///< |a - b|, where both are numbers.
};

/// The first events in which two runs part.
struct LogParting {
  uint64_t index = 0;      ///< Events that were equal before, environmental ones not counted.
  std::optional<Event> a;  ///< Nothing where the run has no more events that count.
  std::optional<Event> b;
  std::vector<LogValueDifference> fields;  ///< Where both are of one type: what differs in them, the position too.
};

/// What became of one of the two.
struct LogSummary {
  uint64_t events = 0;     ///< Of the effective history.
  uint64_t counted = 0;    ///< Of these, those that equal runs have in common.
  uint64_t decisions = 0;  ///< Commands that were applied.
  uint32_t epochs = 0;     ///< Completed.
  uint64_t steps = 0;      ///< Optimizer steps.
  std::string end;         ///< Status and reason; "not ended".
};

struct LogDiff {
  std::vector<LogValueDifference> configuration;  ///< But for names and places.
  std::vector<LogValueDifference> environment;    ///< What the determinism contract depends on, the seed too.
  std::optional<LogParting> first;
  std::vector<LogValueDifference> metrics;  ///< Latest values at the end.
  LogSummary a;
  LogSummary b;

  bool equal() const { return configuration.empty() && environment.empty() && !first; }
};

/// Compares the effective histories of two runs as the determinism contract does: every event that is not
/// environmental, but for times, seqs and the interruptions of runs that were resumed; metrics to the last bit.
/// Configuration and environment are those that each run started with. Reads both as streams: memory does not grow with
/// the logs. Throws as EventLogReader.
LogDiff diff_logs(const std::filesystem::path& events_a, const std::filesystem::path& events_b);

}  // namespace troupe
