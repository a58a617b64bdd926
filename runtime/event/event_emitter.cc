#include "troupe/runtime/event/event_emitter.h"

#include <algorithm>
#include <iterator>

#include "troupe/runtime/event/round.h"
#include "troupe/runtime/event/run_clock.h"

namespace troupe {

EventEmitter::EventEmitter(EventSink& sink, uint64_t elapsed_us)
    : sink_(sink), started_(run_clock_now() - std::chrono::microseconds(elapsed_us)) {}

std::shared_ptr<Event> EventEmitter::new_event() {
  constexpr int kEventsPerArena = 64;
  if (!arena_ || events_in_arena_ == kEventsPerArena) {
    google::protobuf::ArenaOptions options;
    options.start_block_size = size_t{16} << 10;
    arena_ = std::make_shared<google::protobuf::Arena>(options);
    events_in_arena_ = 0;
  }
  ++events_in_arena_;
  return {arena_, google::protobuf::Arena::CreateMessage<Event>(arena_.get())};
}

uint64_t EventEmitter::elapsed_us() const {
  const auto elapsed = run_clock_now() - started_;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  return us > 0 ? static_cast<uint64_t>(us) : 1;  // 0 means that the relay fills the time in.
}

void EventEmitter::advance_clock(uint64_t elapsed_us) {
  const uint64_t now_us = this->elapsed_us();
  if (elapsed_us > now_us) {
    started_ -= std::chrono::microseconds(elapsed_us - now_us);
  }
}

void EventEmitter::publish(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  conclude(hand_over(std::move(event), std::move(outputs)));
}

EventEmitter::HandedOver EventEmitter::hand_over(std::shared_ptr<Event> event,
                                                 std::shared_ptr<const StepOutputs> outputs) {
  HandedOver handed_over{event, outputs, {}};
  const uint64_t made_at_us = event->elapsed_us();
  if (outputs && !sink_.takes_outputs(event->body_case())) {
    outputs.reset();
  }
  if (sink_.asks(*event)) {
    handed_over.round = sink_.ask(std::move(event), std::move(outputs));
  } else {
    sink_.emit(std::move(event), std::move(outputs));
  }
  if (handed_over.event->elapsed_us() > made_at_us) {
    advance_clock(handed_over.event->elapsed_us());
  }
  return handed_over;
}

void EventEmitter::conclude(HandedOver handed_over) {
  const EventType type = handed_over.event->body_case();
  Round round = std::move(handed_over.round);
  if (live_turn_ && sink_.lends(type)) {
    lend(handed_over, std::move(round));
  } else {
    apply(round, type);
  }
}

void EventEmitter::lend(const HandedOver& lent, Round round) {
  const Event& event = *lent.event;
  const EventType type = event.body_case();
  Round checkpoints;
  const auto apply_all_else = [&](Round part) {
    checkpoints.seq = part.seq;
    const auto first =
        std::stable_partition(part.decisions.begin(), part.decisions.end(),
                              [](const Decision& decision) { return !is_about_checkpoints(decision.command); });
    std::move(first, part.decisions.end(), std::back_inserter(checkpoints.decisions));
    part.decisions.erase(first, part.decisions.end());
    apply(part, type);
  };
  apply_all_else(std::move(round));
  sink_.lend(
      lent.event,
      [&](Callback& callback, const RunState& run) { return live_turn_(callback, run, event, lent.outputs.get()); },
      apply_all_else);
  sort_canonically(checkpoints.decisions);
  apply(checkpoints, type);
}

void EventEmitter::apply(const Round& round, EventType type) const {
  if (round_handler_ && !(round.decisions.empty() && round.detached.empty())) {
    round_handler_(round, type);
  }
}

}  // namespace troupe
