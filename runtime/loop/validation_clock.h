#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/options/loop_limits.h"

namespace troupe {

/// The time between validations, where the interval is one. That it has passed is a decision that a clock takes: it is
/// recorded, and a resumed run takes it at the same batch again.
class ValidationClock {
 public:
  /// All must outlive it.
  ValidationClock(v1::LoopState& loop, const LoopLimits& limits, EventEmitter& emitter)
      : loop_(loop), limits_(limits), emitter_(emitter) {}

  /// Starts it, when training starts and after each validation.
  void start();
  /// Whether the time has passed; if so, records it. There must be an interval.
  bool time_has_come();

 private:
  v1::LoopState& loop_;
  const LoopLimits& limits_;
  EventEmitter& emitter_;
};

}  // namespace troupe
