#include "troupe/runtime/log/event_log_writer.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {

/// A log as its writer finds it: checked, and cut back to the last record that can be read.
struct OpenedLog {
  std::filesystem::path events_dir;
  std::optional<Damage> recovery;
  EventSequence sequence;
  uint32_t segment_number = 1;
  File file;
};

namespace {

OpenedLog create_log(const std::filesystem::path& events_dir) {
  create_folders(events_dir);
  OpenedLog opened{events_dir, {}, {}, 1, File::create(log_segment_path(events_dir, 1))};
  sync_folder(events_dir);
  return opened;
}

/// Reads to the end; what is to be cut off there.
std::optional<Damage> read_to_end(EventLogReader& reader, const std::filesystem::path& last_segment,
                                  const std::optional<LogPlace>& cut_damage_after) {
  try {
    Event event;
    while (reader.next(event)) {
    }
    return reader.torn_tail();
  } catch (const DamageError& error) {
    if (error.damage().file != last_segment || cut_damage_after != reader.sequence().place()) {
      throw;
    }
    Damage damage = error.damage();
    damage.bytes = File::open(last_segment).size() - damage.offset;
    return damage;
  }
}

OpenedLog open_log(const std::filesystem::path& events_dir, const EventLogWriterOptions& options) {
  const auto segments = list_log_segments(events_dir);
  if (segments.empty()) {
    return create_log(events_dir);
  }
  sync_folder(events_dir);  // A process that died may have made a segment, and not have come to this.
  EventLogReader reader(events_dir);
  auto cut = read_to_end(reader, segments.back().path, options.cut_damage_after);
  OpenedLog opened{events_dir, std::move(cut), reader.sequence(), segments.back().number,
                   File::open_to_write(segments.back().path)};
  if (opened.recovery) {
    opened.file.truncate(opened.recovery->offset);
    opened.file.sync();
  }
  return opened;
}

}  // namespace

EventLogWriter::EventLogWriter(const std::filesystem::path& events_dir, EventLogWriterOptions options)
    : EventLogWriter(open_log(events_dir, options), options) {}

EventLogWriter::EventLogWriter(OpenedLog opened, EventLogWriterOptions options)
    : events_dir_(std::move(opened.events_dir)),
      options_(options),
      recovery_(std::move(opened.recovery)),
      sequence_(opened.sequence),
      segment_number_(opened.segment_number),
      segment_(std::move(opened.file)),
      start_bytes_(segment_.appended_bytes()) {}

template <class Operation>
void EventLogWriter::guarded(Operation operation) {
  if (!failure_.empty()) {
    throw IoError(failure_);
  }
  try {
    operation();
  } catch (const IoError& error) {
    failure_ = std::string(error.what()) + "; the event log is durable up to seq " + std::to_string(durable_seq_);
    throw IoError(failure_);
  }
}

void EventLogWriter::append(const Event& event) {
  if (event.has_run_resumed() || segment_.appended_bytes() >= options_.segment_bytes_max) {
    start_segment();
  }
  if (const auto problem = sequence_.problem_with(event, segment_.appended_bytes() == 0); !problem.empty()) {
    throw CorruptionError("cannot append to " + segment_path().string() + ": " + problem);
  }
  fault_point("log.append");
  guarded([&] { segment_.append(event); });
  sequence_.advance(event);
}

void EventLogWriter::append(std::span<const EventPtr> events) {
  for (const auto& event : events) {
    append(*event);
  }
}

void EventLogWriter::write() {
  fault_point("log.write");
  guarded([&] { segment_.write(); });
}

uint64_t EventLogWriter::sync() {
  guarded([&] { sync_segment(); });
  return durable_seq_;
}

void EventLogWriter::sync_segment() {
  segment_.sync();
  durable_seq_ = sequence_.last_seq();
}

void EventLogWriter::start_segment() {
  if (segment_.appended_bytes() == 0) {
    return;
  }
  guarded([&] {
    sync_segment();
    fault_point("log.segment_synced");
    closed_bytes_ += segment_.appended_bytes();
    File next = File::create(log_segment_path(events_dir_, segment_number_ + 1));
    fault_point("log.segment_created");
    sync_folder(events_dir_);
    segment_.close();
    segment_ = RecordWriter(std::move(next));
    ++segment_number_;
  });
}

uint64_t EventLogWriter::appended_bytes() const {
  return closed_bytes_ + segment_.appended_bytes() - start_bytes_;
}

}  // namespace troupe
