#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/log/event_log_reader.h"

namespace troupe {

/// Reads the effective history of a run: the events of its log without those that a later RunResumed supersedes. Their
/// seqs are 1, 2, 3, ... without gap. Memory does not grow with the log: the first events of the segments say what is
/// superseded, before the events are read. For one thread.
class EventHistory {
 public:
  /// Throws IoError where there is no log.
  explicit EventHistory(const std::filesystem::path& events_dir);

  /// As EventLogReader::next. A run that is resumed while its log is read: its RunResumed then follows events that it
  /// supersedes.
  bool next(Event& event);

  const EventLogReader& reader() const { return reader_; }

 private:
  bool superseded(const Event& event) const;

  std::vector<uint64_t> last_seq_kept_;  // Of incarnation i + 1.
  EventLogReader reader_;
};

/// Asked with the state just after an event; true ends the fold there.
using StopAfter = std::function<bool(const RunState& state, const Event& event)>;

/// The state at the end of the effective history, or where `stop_after` first says so. Throws as EventLogReader.
RunState fold_event_log(const std::filesystem::path& events_dir, const StopAfter& stop_after = nullptr);

}  // namespace troupe
