#include "troupe/runtime/log/event_log_verify.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/event_sequence.h"
#include "troupe/runtime/file/record_reader.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {
namespace {

class LogVerifier {
 public:
  LogReport verify(const std::filesystem::path& events_dir) {
    const auto segments = list_log_segments(events_dir);
    if (segments.empty()) {
      throw IoError("no event log in " + events_dir.string() + ": expected " + log_segment_path("", 1).string());
    }
    uint32_t expected = 1;
    for (const auto& segment : segments) {
      for (; expected < segment.number; ++expected) {
        add_gap({log_segment_path(events_dir, expected), 0, 0, "the segment is missing"});
      }
      verify_segment(segment.path);
      ++expected;
    }
    report_.segments = segments.size();
    report_.last_seq = sequence_.last_seq();
    return std::move(report_);
  }

 private:
  void verify_segment(const std::filesystem::path& path) {
    RecordReader records(path);
    bool starts_segment = true;
    for (RecordStatus status = records.next(); status != RecordStatus::kEnd; status = records.next()) {
      if (status == RecordStatus::kRecord) {
        verify_event(records, starts_segment);
        starts_segment = false;
        continue;
      }
      Damage damage = records.damage();
      if (status == RecordStatus::kDamaged) {
        damage.bytes = records.skip_damage();
      }
      add_gap(std::move(damage));
      if (status == RecordStatus::kTorn) {
        break;
      }
    }
    report_.bytes += records.end_offset();
  }

  void verify_event(const RecordReader& records, bool starts_segment) {
    const ByteView record = records.record();
    Damage damage{records.path(), records.offset(), records.end_offset() - records.offset(), {}};
    if (!event_.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
      damage.message = "a record that is not an event";
      add_gap(std::move(damage));
      return;
    }
    damage.message = sequence_.problem_with(event_, starts_segment);
    if (!damage.message.empty()) {
      report_.damages.push_back(std::move(damage));
    }
    count_event();
  }

  void count_event() {
    ++report_.events;
    if (event_.has_run_resumed()) {
      report_.superseded += event_.run_resumed().superseded_events();
    }
    report_.ended = event_.has_run_ended();
    sequence_.advance(event_);
    report_.incarnations = sequence_.incarnation();
  }

  void add_gap(Damage damage) {
    report_.damages.push_back(std::move(damage));
    report_.ended = false;
    sequence_.forget();
  }

  LogReport report_;
  EventSequence sequence_;
  Event event_;
};

}  // namespace

LogReport verify_event_log(const std::filesystem::path& events_dir) {
  return LogVerifier().verify(events_dir);
}

}  // namespace troupe
