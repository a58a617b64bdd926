#include "runtime/event_emitter.h"

namespace troupe {

EventEmitter::EventEmitter(EventSink& sink, uint64_t elapsed_us)
    : sink_(sink), started_(std::chrono::steady_clock::now() - std::chrono::microseconds(elapsed_us)) {}

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
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  return us > 0 ? static_cast<uint64_t>(us) : 1;  // 0 means that the relay fills the time in.
}

void EventEmitter::publish(std::shared_ptr<Event> event) {
  const EventType type = event->body_case();
  if (!sink_.asks(type)) {
    sink_.emit(std::move(event));
    return;
  }
  const Round round = sink_.ask(std::move(event));
  if (round_handler_) {
    round_handler_(round, type);
  }
}

}  // namespace troupe
