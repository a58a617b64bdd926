#pragma once

#include <cstdint>
#include <vector>

#include "troupe/runtime/event/decided_before.h"
#include "troupe/runtime/event/event.h"

namespace troupe {

/// When a controller wants to be asked about an event. Every period that is set must agree; the default is always.
struct AskPeriods {
  double after_s = 0;                ///< Once, when the run has run this many seconds, over all incarnations; 0: any.
  int64_t during_every_n_steps = 0;  ///< While the n-th, 2n-th, ... optimizer step of the fit is not made yet; 0: any.
  int64_t every_n_batches = 0;       ///< Batches of the epoch or evaluation: after the n-th, 2n-th, ...; 0: any.
  int64_t every_n_epochs = 0;        ///< Epochs of the fit: in the n-th, 2n-th, ...; 0: any.
  int64_t every_n_steps = 0;         ///< Optimizer steps of the fit: once at each multiple of n; 0: any.
  double every_s = 0;           ///< When this many have passed since it was asked so last, or since the start; 0: any.
  bool sanity_checking = true;  ///< In the sanity check too.
};

/// One line of a callback's ask_when(): an event type and when to ask about it.
struct AskWhen {
  EventType event;
  AskPeriods periods;
};

/// AskWhen for the event type E: `return {ask_when<TrainBatchEnded>({.every_n_steps = 100})};`.
template <EventBody E>
AskWhen ask_when(const AskPeriods& periods) {
  return {EventTraits<E>::kType, periods};
}

/// Decides for one controller whether it is to be asked. A type without a line is always asked about; one with several
/// is when any of them agrees. Remembers what it has seen, so every event of the run is to be put to it once, in order.
class AskSchedule {
 public:
  enum class Answer { kNo, kYes, kByClock };

  /// `position`: where the run starts, or goes on. `decided`: what the clock decided for this controller before it.
  AskSchedule(const std::vector<AskWhen>& lines, const Position& position,
              const std::vector<v1::ClockDecision>& decided = {});

  /// kByClock where time decided: another run could have said no here.
  Answer wants(const Event& event) { return wants(event, DecidedBefore::kUnknown, event.elapsed_us()); }
  /// `before`: what an earlier process of the run decided by the clock about this event, at `elapsed_us`, where this
  /// one repeats it.
  Answer wants(const Event& event, DecidedBefore before, uint64_t elapsed_us);
  /// Whether time decides about any event of this type.
  bool has_clock(EventType type) const { return by_clock_[type]; }

 private:
  struct Line {
    AskWhen when;
    uint64_t last_step = 0;
    uint64_t last_asked_us = 0;
    bool done = false;  // after_s has passed.

    bool is_due(uint64_t elapsed_us) const;
    void note_asked(uint64_t elapsed_us);
  };
  static Answer check(Line& line, const Event& event, DecidedBefore before, uint64_t elapsed_us);

  std::vector<Line> lines_;
  EventTypeSet by_clock_;
};

}  // namespace troupe
