#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/log/event_log_writer.h"

namespace troupe {

inline Event run_started_event() {
  Event event;
  event.set_seq(1);
  event.mutable_run_started()->set_run_id("r1");
  event.mutable_run_started()->set_stage(v1::STAGE_FIT);
  return event;
}

/// The end of training batch `step` - 1 of epoch 0, with a loss of 1 / step.
inline Event batch_event(uint64_t seq, uint64_t step) {
  Event event;
  event.set_seq(seq);
  event.set_elapsed_us(seq * 1000);
  event.mutable_position()->set_stage(v1::STAGE_FIT);
  event.mutable_position()->set_batch_index(static_cast<uint32_t>(step - 1));
  event.mutable_position()->set_global_step(step);
  auto* metric = event.mutable_train_batch_ended()->add_metrics();
  metric->set_name("loss");
  metric->set_value(1.0 / static_cast<double>(step));
  return event;
}

/// Supersedes the events after `from_seq`, of which there are `superseded`.
inline Event run_resumed_event(uint32_t incarnation, uint64_t from_seq, uint64_t superseded) {
  Event event;
  event.set_seq(from_seq + 1);
  event.mutable_run_resumed()->set_incarnation(incarnation);
  event.mutable_run_resumed()->set_from_seq(from_seq);
  event.mutable_run_resumed()->set_superseded_events(superseded);
  return event;
}

inline Event run_ended_event(uint64_t seq) {
  Event event;
  event.set_seq(seq);
  event.mutable_run_ended()->set_status(v1::RUN_STATUS_FINISHED);
  return event;
}

/// Two segments, a first process that was killed after step 4 (seq 5), a second that went on from step 2 (seq 3):
/// RunStarted, steps 1 to 4; RunResumed, steps 3 and 4 again, RunEnded.
inline std::vector<Event> resumed_run_events() {
  std::vector<Event> events{run_started_event()};
  for (uint64_t step = 1; step <= 4; ++step) {
    events.push_back(batch_event(step + 1, step));
  }
  events.push_back(run_resumed_event(2, 3, 2));
  events.push_back(batch_event(5, 3));
  events.push_back(batch_event(6, 4));
  events.push_back(run_ended_event(7));
  return events;
}

inline void write_log(const std::filesystem::path& events_dir, const std::vector<Event>& events,
                      EventLogWriterOptions options = {}) {
  EventLogWriter writer(events_dir, options);
  for (const auto& event : events) {
    writer.append(event);
  }
  writer.sync();
}

}  // namespace troupe
