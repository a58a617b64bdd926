#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/file/damage.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe {

/// Reads every event of a log in the order in which they were written, superseded ones too (EventHistory leaves those
/// out). Works while the log is being written. For one thread.
class EventLogReader {
 public:
  /// Throws IoError where there is no log.
  explicit EventLogReader(std::filesystem::path events_dir);

  /// Fills `event` with the next one and returns true; false at the end, where a later call looks again for what has
  /// been written since. Throws DamageError at anything that is wrong but a torn tail of the last segment: a checksum,
  /// a record that is no event of this version, an event that cannot follow the last one, a segment that is missing or
  /// cut short.
  bool next(Event& event);

  /// After next() returned false: the torn tail, if the last segment ends inside a record.
  const std::optional<Damage>& torn_tail() const { return torn_tail_; }

  /// Of the last event read.
  const EventSequence& sequence() const { return sequence_; }
  const std::filesystem::path& file() const { return records_.path(); }
  uint64_t offset() const { return records_.offset(); }
  /// Behind that event.
  uint64_t end_offset() const { return records_.end_offset(); }

 private:
  bool accept(Event& event);
  bool next_segment(RecordStatus status);
  [[noreturn]] void throw_damage(std::string message) const;

  std::filesystem::path events_dir_;
  uint32_t segment_number_;
  RecordReader records_;
  bool starts_segment_ = true;
  bool next_segment_seen_ = false;
  EventSequence sequence_;
  std::optional<Damage> torn_tail_;
};

}  // namespace troupe
