#include "troupe/runtime/loop/validation_clock.h"

#include <utility>

namespace troupe {

void ValidationClock::start() {
  if (limits_.validation_interval_us) {  // Otherwise equal runs would differ in what nobody reads.
    loop_.set_last_validation_us(emitter_.elapsed_us());
  }
}

bool ValidationClock::time_has_come() {
  uint64_t now_us = emitter_.elapsed_us();
  const auto before = emitter_.sink().validation_decided_before(now_us);
  if (before == DecidedBefore::kNo ||
      (before == DecidedBefore::kUnknown && now_us - loop_.last_validation_us() < *limits_.validation_interval_us)) {
    return false;
  }
  emitter_.advance_clock(now_us);
  InputRecorded decided;
  decided.mutable_clock()->set_kind(v1::ClockDecision::KIND_VALIDATION);
  decided.mutable_clock()->set_elapsed_us(now_us);
  decided.set_from("clock");
  emitter_.publish(std::move(decided));
  return true;
}

}  // namespace troupe
