#pragma once

#include <google/protobuf/arena.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "runtime/event.h"
#include "runtime/event_sink.h"

namespace troupe {

/// Builds the loop's events: position and elapsed time are filled in here, the seq by the receiver. Used from the
/// loop's thread only.
class EventEmitter {
 public:
  /// `elapsed_us` is what the run had run in earlier incarnations.
  EventEmitter(EventSink& sink, uint64_t elapsed_us);

  EventSink& sink() { return sink_; }
  /// Where the next event happens.
  Position& position() { return position_; }
  const Position& position() const { return position_; }
  /// Microseconds that the run has run, over all incarnations.
  uint64_t elapsed_us() const;
  /// Says what applies the commands that controllers answer with; it is told which event they were asked about.
  void set_round_handler(std::function<void(const Round&, EventType)> handler) { round_handler_ = std::move(handler); }

  /// A new event of this type, with everything but its body's fields.
  template <EventBody E>
  std::shared_ptr<Event> make() {
    auto event = new_event();
    event->set_elapsed_us(elapsed_us());
    *event->mutable_position() = position_;
    EventTraits<E>::mutable_body(*event);
    return event;
  }

  /// Emits a recorded event, and has the answers of its controllers applied.
  void publish(std::shared_ptr<Event> event);

  template <EventBody E>
  void publish(E body = {}) {
    auto event = make<E>();
    *EventTraits<E>::mutable_body(*event) = std::move(body);
    publish(std::move(event));
  }

  /// Emits a transient event where anybody takes it.
  template <EventBody E>
  void publish_transient(E body = {}) {
    if (sink_.takes(EventTraits<E>::kType)) {
      publish(std::move(body));
    }
  }

 private:
  /// An empty event. It lives in an arena with its neighbours, which other threads free as a whole: one by one, their
  /// frees would slow down every allocation of the training thread.
  std::shared_ptr<Event> new_event();

  EventSink& sink_;
  Position position_;
  std::function<void(const Round&, EventType)> round_handler_;
  std::chrono::steady_clock::time_point started_;
  std::shared_ptr<google::protobuf::Arena> arena_;
  int events_in_arena_ = 0;
};

}  // namespace troupe
