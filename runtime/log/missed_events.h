#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "troupe/runtime/log/event_history.h"

namespace troupe {

/// Reads events of a run again, for a callback that has missed them. Going on where the last call ended costs only what
/// is read; going back starts from the log's beginning. For one thread.
class MissedEvents {
 public:
  explicit MissedEvents(std::filesystem::path events_dir) : events_dir_(std::move(events_dir)) {}

  /// Hands the events of the effective history with after_seq < seq <= until_seq to `take`, in order; they must be in
  /// the log's file. Throws CorruptionError when they are not, and what `take` throws.
  void read(uint64_t after_seq, uint64_t until_seq, const std::function<void(const EventPtr&)>& take);

 private:
  std::filesystem::path events_dir_;
  std::optional<EventHistory> history_;
  uint64_t last_seq_ = 0;  // Read from history_.
};

}  // namespace troupe
