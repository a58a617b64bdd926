#include "troupe/runtime/log/missed_events.h"

#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {

void MissedEvents::read(uint64_t after_seq, uint64_t until_seq, const std::function<void(const EventPtr&)>& take) {
  if (!history_ || last_seq_ > after_seq) {
    history_.emplace(events_dir_);
    last_seq_ = 0;
  }
  while (last_seq_ < until_seq) {
    auto event = std::make_shared<Event>();
    if (!history_->next(*event)) {
      throw CorruptionError("event log " + events_dir_.string() + ": expected events up to seq " +
                            std::to_string(until_seq) + " in it, it ends at " + std::to_string(last_seq_));
    }
    last_seq_ = event->seq();
    if (last_seq_ > after_seq) {
      take(event);
    }
  }
}

}  // namespace troupe
