#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runtime/event_sink.h"
#include "runtime/round.h"
#include "runtime/snapshot.h"

namespace troupe {

/// What the loop speaks to, without actors: keeps every event, and asks one function for decisions.
class RecordingSink : public EventSink {
 public:
  bool takes(EventType /*type*/) const override { return true; }
  bool asks(EventType type) const override { return asked[type]; }
  void emit(std::shared_ptr<Event> event) override { add(std::move(event)); }
  Round ask(std::shared_ptr<Event> event) override {
    add(event);
    Round round{event->seq(), decide(*event)};
    sort_canonically(round.decisions);
    return round;
  }
  void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot,
                       bool /*weights_only*/) override {
    add(std::move(taken));
    snapshots.push_back(std::move(snapshot));
  }
  void remove_checkpoint(const std::string& path, int /*saves_before*/) override { removed.push_back(path); }
  void flush() override {}
  int pending_signal() const override { return signal; }

  /// Hooks of the events, transient ones too, in order.
  std::vector<std::string> hooks() const {
    std::vector<std::string> names;
    for (const auto& event : events) {
      if (!event_info(event->body_case()).hook.empty()) {
        names.push_back(event_info(event->body_case()).hook);
      }
    }
    return names;
  }

  EventTypeSet asked;
  std::function<std::vector<Decision>(const Event&)> decide;
  int signal = 0;
  std::vector<std::shared_ptr<Event>> events;
  std::vector<std::shared_ptr<Snapshot>> snapshots;
  std::vector<std::string> removed;

 private:
  void add(std::shared_ptr<Event> event) {
    if (!event_info(event->body_case()).transient) {
      event->set_seq(++seq_);
    }
    events.push_back(std::move(event));
  }

  uint64_t seq_ = 0;
};

}  // namespace troupe
