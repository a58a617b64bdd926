#include "troupe/runtime/callback/callback_policy.h"

namespace troupe {

void CallbackPolicy::describe(OptionVisitor& visit) {
  visit("lane", lane,
        "What becomes of events that its lane has no room for; none: spill with state or decisions, else drop_oldest.");
  visit("lane_events_max", lane_events_max, "Events that wait in memory, at most.").at_least(1);
  visit("lane_bytes_max", lane_bytes_max, "Bytes of step outputs that wait in memory, at most.").at_least(1);
  visit("max_restarts", max_restarts, "Restarts of an observer that throws; then it is detached. None: 5.").at_least(0);
  visit("redeliver", redeliver, "A restarted observer gets the events since its saved state again.");
  visit("on_failure", on_failure, "A controller that throws fails the run, or is detached.");
  visit("on_deadline", on_deadline, "A controller that is late fails the run, is detached, or is waited for.");
  visit("deadline_s", deadline_s, "Seconds to wait for a controller; none: as the trainer says; inf: for ever.")
      .greater_than(0);
  visit("own_thread", own_thread, "Its hooks may block for long: give them a thread of their own.");
  visit("prompt", prompt, "Its controller hooks never block: the loop runs them itself, without a deadline.");
}

}  // namespace troupe
