#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/event/event_sink.h"
#include "troupe/runtime/event/round.h"
#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// What the loop speaks to, without actors: keeps every event, and asks one function for decisions.
class RecordingSink : public EventSink {
 public:
  bool takes(EventType /*type*/) const override { return true; }
  bool takes_outputs(EventType type) const override { return outputs_taken[type]; }
  bool asks(const Event& event) override { return asked[event.body_case()] || event.body_case() == detached_at.first; }
  bool lends(EventType type) const override { return lent[type]; }
  void emit(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> step_outputs) override {
    add(std::move(event));
    outputs.push_back(std::move(step_outputs));
  }
  Round ask(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> step_outputs) override {
    emit(event, std::move(step_outputs));
    Round round{event->seq(), decide ? decide(*event) : std::vector<Decision>(), {}};
    if (event->body_case() == detached_at.first) {
      round.detached.push_back(detached_at.second);
    }
    sort_canonically(round.decisions);
    return round;
  }
  void lend(const EventPtr& event, const LiveTurn& turn, const std::function<void(const Round&)>& apply) override {
    for (const auto& callback : live_callbacks) {
      if (callback->info().lives[event->body_case()]) {
        Round round{event->seq(), {}, {}};
        for (auto& command : turn(*callback, run)) {
          round.decisions.push_back({callback->info().state_key, callback->info().type, std::move(command)});
        }
        apply(round);
      }
    }
  }
  void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot,
                       bool /*weights_only*/) override {
    add(std::move(taken));
    snapshots.push_back(std::move(snapshot));
  }
  void remove_checkpoint(const std::string& path, int /*saves_before*/) override { removed.push_back(path); }
  void flush() override {}
  int pending_signal() const override { return signal; }
  bool has_inputs() const override { return !inputs.empty(); }
  std::vector<v1::InputRecorded> take_inputs() override { return std::exchange(inputs, {}); }
  void wait_for_input() override {
    if (on_wait) {
      on_wait();
    }
  }

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
  EventTypeSet outputs_taken;
  EventTypeSet lent;
  std::vector<std::shared_ptr<Callback>> live_callbacks;
  RunState run;  ///< What Live hooks are told.
  std::vector<v1::InputRecorded> inputs;
  std::function<void()> on_wait;  ///< Stands in for what the outside does while the loop waits.
  std::function<std::vector<Decision>(const Event&)> decide;
  std::pair<EventType, std::string> detached_at{Event::BODY_NOT_SET, {}};  ///< Who fails, and at which events.
  int signal = 0;
  std::vector<std::shared_ptr<Event>> events;
  std::vector<std::shared_ptr<const StepOutputs>> outputs;  ///< One for each of `events`; null where there is none.
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
