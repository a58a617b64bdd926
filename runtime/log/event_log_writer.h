#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/file/damage.h"
#include "troupe/runtime/file/record_writer.h"

namespace troupe {

struct EventLogWriterOptions {
  uint64_t segment_bytes_max =
      256U << 20;  ///< A segment that has reached this size is closed and the next one started.
  /// Damage in the last segment directly behind this event is cut off on opening, as a torn tail is: for a caller that
  /// knows that nothing behind it was ever promised to be durable (see place_before_damage).
  std::optional<LogPlace> cut_damage_after = {};
};

/// The one writer of an event log: segments 00000001.tfrecord, 00000002.tfrecord, ... of Event records. For one thread;
/// the caller holds the run directory's lock.
///
/// After an I/O error (IoError: what, where, how much of the log is durable) every further call throws it again.
class EventLogWriter {
 public:
  /// Starts a log in `events_dir` (made if missing) or goes on at the end of the one there, which is read and checked
  /// first: a torn tail of the last segment is cut off (see recovery()); anything else that is wrong throws
  /// CorruptionError, unless the options say where damage may be cut off.
  explicit EventLogWriter(const std::filesystem::path& events_dir, EventLogWriterOptions options = {});

  /// What was cut off on opening, up to the end of its file.
  const std::optional<Damage>& recovery() const { return recovery_; }

  /// Serialises into the buffer, which is handed to the system when it is full. RunResumed starts a new segment. Throws
  /// CorruptionError for an event that cannot follow the last one (see EventSequence), and appends nothing then.
  void append(const Event& event);
  void append(std::span<const EventPtr> events);

  /// Hands the buffer to the system: what was appended survives this process.
  void write();
  /// Returns when what was appended is on the device; the seq of the last event.
  uint64_t sync();
  /// Makes the current segment durable and goes on in a new one; nothing happens while the current one is empty.
  void start_segment();

  uint64_t last_seq() const { return sequence_.last_seq(); }
  uint32_t incarnation() const { return sequence_.incarnation(); }
  /// Last event known to be on the device; 0 before the first sync().
  uint64_t durable_seq() const { return durable_seq_; }
  /// Bytes appended since this writer was made, frames included.
  uint64_t appended_bytes() const;
  /// The segment that is being written.
  const std::filesystem::path& segment_path() const { return segment_.file().path(); }
  /// Its size with everything appended.
  uint64_t segment_bytes() const { return segment_.appended_bytes(); }

 private:
  explicit EventLogWriter(struct OpenedLog opened, EventLogWriterOptions options);
  template <class Operation>
  void guarded(Operation operation);
  void sync_segment();

  std::filesystem::path events_dir_;
  EventLogWriterOptions options_;
  std::optional<Damage> recovery_;
  EventSequence sequence_;
  uint32_t segment_number_;
  RecordWriter segment_;
  uint64_t start_bytes_;       // Of the segment found on opening.
  uint64_t closed_bytes_ = 0;  // Of the segments that this writer has closed.
  uint64_t durable_seq_ = 0;
  std::string failure_;
};

}  // namespace troupe
