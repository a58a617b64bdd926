#include "runtime/event_sequence.h"

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
  if (known_ && event.seq() != last_seq_ + 1) {
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
  if (!known_) {
    return {};
  }
  if (resumed.incarnation() != incarnation_ + 1) {
    return "expected incarnation " + std::to_string(incarnation_ + 1) + ", found " +
           std::to_string(resumed.incarnation());
  }
  if (resumed.from_seq() + resumed.superseded_events() != last_seq_) {
    return "RunResumed follows seq " + std::to_string(resumed.from_seq() + resumed.superseded_events()) +
           ", but the last event before it has seq " + std::to_string(last_seq_);
  }
  return {};
}

void EventSequence::advance(const Event& event) {
  last_seq_ = event.seq();
  if (event.has_run_started()) {
    incarnation_ = 1;
  } else if (event.has_run_resumed()) {
    incarnation_ = event.run_resumed().incarnation();
  }
  known_ = true;
}

}  // namespace troupe
