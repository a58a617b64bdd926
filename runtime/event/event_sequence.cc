#include "troupe/runtime/event/event_sequence.h"

namespace troupe {
namespace {

std::string expected_but(uint64_t expected, uint64_t found) {
  return "expected seq " + std::to_string(expected) + ", found " + std::to_string(found);
}

}  // namespace

std::string EventSequence::problem_with(const Event& event, bool starts_segment) const {
  if (event.body_case() == Event::BODY_NOT_SET) {
    return "an event of a type that this version does not know (seq " + std::to_string(event.seq()) + ")";
  }
  if (event.has_run_resumed()) {
    return problem_with_resume(event, starts_segment);
  }
  if (seq_known_ && event.seq() != last_seq_ + 1) {
    return expected_but(last_seq_ + 1, event.seq());
  }
  if (event.has_run_started() != (event.seq() == 1)) {
    return event.seq() == 1 ? "the first event is not RunStarted" : "RunStarted inside a log";
  }
  return {};
}

std::string EventSequence::problem_with_resume(const Event& event, bool starts_segment) const {
  const auto& resumed = event.run_resumed();
  if (!starts_segment) {
    return "RunResumed inside a segment";
  }
  if (resumed.from_seq() == 0 || event.seq() != resumed.from_seq() + 1) {
    return "RunResumed from seq " + std::to_string(resumed.from_seq()) + " has seq " + std::to_string(event.seq());
  }
  if (incarnation_known_ && resumed.incarnation() != incarnation_ + 1) {
    return "expected incarnation " + std::to_string(incarnation_ + 1) + ", found " +
           std::to_string(resumed.incarnation());
  }
  if (seq_known_ && resumed.from_seq() + resumed.superseded_events() != last_seq_) {
    return "RunResumed follows seq " + std::to_string(resumed.from_seq() + resumed.superseded_events()) +
           ", but the last event before it has seq " + std::to_string(last_seq_);
  }
  return {};
}

void EventSequence::advance(const Event& event) {
  last_seq_ = event.seq();
  seq_known_ = true;
  if (event.has_run_started() || event.has_run_resumed()) {
    incarnation_ = event.has_run_started() ? 1 : event.run_resumed().incarnation();
    incarnation_known_ = true;
  }
}

}  // namespace troupe
