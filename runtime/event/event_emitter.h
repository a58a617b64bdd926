#pragma once

#include <google/protobuf/arena.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sink.h"

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
  /// Lets it be at least `elapsed_us` from here on: an earlier process took a decision then that this one repeats now.
  void advance_clock(uint64_t elapsed_us);
  /// Says what applies the commands that controllers answer with; it is told which event they were asked about.
  void set_round_handler(std::function<void(const Round&, EventType)> handler) { round_handler_ = std::move(handler); }

  /// Runs the Live hook of a callback that is lent to the loop for this event, and returns what it commanded.
  using LiveHook =
      std::function<std::vector<v1::Command>(Callback&, const RunState&, const Event&, const StepOutputs*)>;
  void set_live_turn(LiveHook turn) { live_turn_ = std::move(turn); }

  /// Whether anybody takes the tensors beside this type, so that they are to be handed to publish().
  bool wants_outputs(EventType type) const { return sink_.takes_outputs(type) || (live_turn_ && sink_.lends(type)); }

  /// A new event of this type, with everything but its body's fields.
  template <EventBody E>
  std::shared_ptr<Event> make() {
    auto event = new_event();
    event->set_elapsed_us(elapsed_us());
    *event->mutable_position() = position_;
    EventTraits<E>::mutable_body(*event);
    return event;
  }

  /// Emits an event, has the answers of its controllers applied, and then gives every Live hook its turn. What any of
  /// them commands about checkpoints is applied after all the rest: a checkpoint has what every hook of the event did,
  /// so that resuming from it does not need to run them again. `outputs`: this step's tensors, where wants_outputs().
  void publish(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs = nullptr);

  /// An event that has been handed over, and what is still to be done about it.
  struct HandedOver {
    EventPtr event;
    std::shared_ptr<const StepOutputs> outputs;
    Round round;  ///< What its controllers answered.
  };
  /// The two halves of publish(). No other event may be published between them, unless conclude() does not follow.
  HandedOver hand_over(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs = nullptr);
  void conclude(HandedOver handed_over);

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
  void apply(const Round& round, EventType type) const;
  /// Gives the Live hooks their turn, after the controllers' round.
  void lend(const HandedOver& lent, Round round);

  EventSink& sink_;
  Position position_;
  std::function<void(const Round&, EventType)> round_handler_;
  LiveHook live_turn_;
  std::chrono::steady_clock::time_point started_;
  std::shared_ptr<google::protobuf::Arena> arena_;
  int events_in_arena_ = 0;
};

}  // namespace troupe
