#include "troupe/runtime/log/event_history.h"

#include <algorithm>
#include <limits>

#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {
namespace {

/// The last seq of each incarnation that no later RunResumed supersedes. What is damaged is left for the second pass to
/// report.
std::vector<uint64_t> read_last_seqs_kept(const std::filesystem::path& events_dir) {
  std::vector<uint64_t> kept{std::numeric_limits<uint64_t>::max()};
  Event event;
  for (const auto& segment : list_log_segments(events_dir)) {
    RecordReader records(segment.path);
    if (records.next() != RecordStatus::kRecord) {
      continue;
    }
    const ByteView record = records.record();
    if (event.ParseFromArray(record.data(), static_cast<int>(record.size())) && event.has_run_resumed()) {
      const uint64_t from_seq = event.run_resumed().from_seq();
      std::for_each(kept.begin(), kept.end(), [&](uint64_t& seq) { seq = std::min(seq, from_seq); });
      kept.push_back(std::numeric_limits<uint64_t>::max());
    }
  }
  return kept;
}

bool fold_once(EventHistory& history, RunState& state, const StopAfter& stop_after) {
  Event event;
  while (history.next(event)) {
    if (event.has_run_resumed() && event.run_resumed().from_seq() != state.seq()) {
      return false;
    }
    state.apply(event);
    if (stop_after && stop_after(state, event)) {
      break;
    }
  }
  return true;
}

}  // namespace

EventHistory::EventHistory(const std::filesystem::path& events_dir)
    : last_seq_kept_(read_last_seqs_kept(events_dir)), reader_(events_dir) {}

bool EventHistory::next(Event& event) {
  while (reader_.next(event)) {
    if (!superseded(event)) {
      return true;
    }
  }
  return false;
}

bool EventHistory::superseded(const Event& event) const {
  const uint32_t incarnation = reader_.sequence().incarnation();
  return incarnation <= last_seq_kept_.size() && event.seq() > last_seq_kept_[incarnation - 1];
}

RunState fold_event_log(const std::filesystem::path& events_dir, const StopAfter& stop_after) {
  while (true) {
    EventHistory history(events_dir);
    RunState state;
    if (fold_once(history, state, stop_after)) {
      return state;
    }  // The run was resumed while its log was being read: what it supersedes is known now.
  }
}

}  // namespace troupe
