#include "troupe/runtime/log/event_log_reader.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_segments.h"

namespace troupe {
namespace {

LogSegment first_segment(const std::filesystem::path& events_dir) {
  const auto segments = list_log_segments(events_dir);
  if (segments.empty()) {
    throw IoError("no event log in " + events_dir.string() + ": expected " + log_segment_path("", 1).string());
  }
  return segments.front();
}

}  // namespace

EventLogReader::EventLogReader(std::filesystem::path events_dir)
    : events_dir_(std::move(events_dir)), segment_number_(1), records_(first_segment(events_dir_).path) {
  if (records_.path() != log_segment_path(events_dir_, 1)) {
    throw DamageError({log_segment_path(events_dir_, 1), 0, 0, "the segment is missing"});
  }
}

bool EventLogReader::next(Event& event) {
  torn_tail_.reset();
  while (true) {
    const RecordStatus status = records_.next();
    if (status == RecordStatus::kRecord) {
      return accept(event);
    }
    if (status == RecordStatus::kDamaged) {
      throw DamageError(records_.damage());
    }
    if (!next_segment(status)) {
      return false;
    }
  }
}

bool EventLogReader::accept(Event& event) {
  const ByteView record = records_.record();
  if (!event.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    throw_damage("a record that is not an event");
  }
  if (auto problem = sequence_.problem_with(event, starts_segment_); !problem.empty()) {
    throw_damage(std::move(problem));
  }
  sequence_.advance(event);
  starts_segment_ = false;
  return true;
}

/// Whether to read on: in this segment once more, or in the next. The writer finishes a segment before it makes the
/// next one, so what is missing after the next one has been seen stays missing.
bool EventLogReader::next_segment(RecordStatus status) {
  if (!next_segment_seen_) {
    const auto segments = list_log_segments(events_dir_);
    next_segment_seen_ = !segments.empty() && segments.back().number > segment_number_;
    if (!next_segment_seen_ && status == RecordStatus::kTorn) {
      torn_tail_ = records_.damage();
    }
    return next_segment_seen_;
  }
  if (status == RecordStatus::kTorn) {
    throw DamageError(records_.damage());
  }
  const auto path = log_segment_path(events_dir_, segment_number_ + 1);
  if (!std::filesystem::exists(path)) {
    throw DamageError({path, 0, 0, "the segment is missing"});
  }
  records_ = RecordReader(path);
  ++segment_number_;
  starts_segment_ = true;
  next_segment_seen_ = false;
  return true;
}

void EventLogReader::throw_damage(std::string message) const {
  throw DamageError(
      {records_.path(), records_.offset(), records_.end_offset() - records_.offset(), std::move(message)});
}

}  // namespace troupe
