#include "troupe/runtime/callback/typed_callback.h"

#include <doctest/doctest.h>

#include <vector>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

struct PositionReader {
  using UserEvents = UserEventTypes<Position>;
  std::vector<int64_t> epochs = {};
  void on(const Position& position) { epochs.push_back(position.epoch()); }
};

struct PositionDecider {
  using UserEvents = UserEventTypes<Position>;
  void on(const Position&, Control& control) { control.stop("seen"); }
};

/// Takes the start of an epoch, a checkpoint, or neither.
struct Picker {
  EventTypeSet picked;
  void on(const TrainEpochStarted& /*event*/) {}
  void on(const CheckpointTaken& /*event*/, const RunState& /*run*/) {}
  void on(const TrainEpochEnded& /*event*/, Control& /*control*/) {}
  EventTypeSet takes_events() const { return picked; }
};

Event event_of(const v1::UserEvent& user_event) {
  Event event;
  *event.mutable_user_event() = user_event;
  return event;
}

v1::UserEvent damaged_position() {
  v1::UserEvent event = make_user_event(Position());
  event.set_payload("\xff");
  return event;
}

const char* const kDamaged =
    "callback reader: the payload of a UserEvent of type 'troupe.v1.Position' (1 bytes) is not a message of that type";

}  // namespace

TEST_CASE("a callback takes a user's message by its type") {
  const auto reader = std::make_shared<PositionReader>();
  const auto callback = make_callback(reader, "reader");
  Position position;
  position.set_epoch(3);
  callback->observe({event_of(make_user_event(position)), RunState()});
  CHECK(reader->epochs == std::vector<int64_t>{3});
}

TEST_CASE("takes_events leaves out hooks of an object that its class has") {
  const auto info = [](std::initializer_list<EventType> picked) {
    const auto picker = std::make_shared<Picker>();
    for (const EventType type : picked) {
      picker->picked.set(type);
    }
    return make_callback(picker)->info();
  };
  const auto one = info({Event::kCheckpointTaken, Event::kFitStarted});
  CHECK(one.observes.count() == 1);
  CHECK(one.observes[Event::kCheckpointTaken]);
  CHECK(one.run_state[Event::kCheckpointTaken]);
  CHECK_FALSE(one.decides());
  const auto both = info({Event::kTrainEpochStarted, Event::kTrainEpochEnded});
  CHECK(both.observes[Event::kTrainEpochStarted]);
  CHECK(both.controls[Event::kTrainEpochEnded]);
  CHECK(both.observes.count() + both.controls.count() == 2);
}

TEST_CASE("a user's message that cannot be read reaches no hook") {
  const RunState run;
  const auto reader = std::make_shared<PositionReader>();
  const auto event = event_of(damaged_position());
  CHECK_THROWS_WITH_AS(make_callback(reader, "reader")->observe({event, run}), kDamaged, CorruptionError);
  CHECK(reader->epochs.empty());
  Control control(run);
  CHECK_THROWS_WITH_AS(make_callback(std::make_shared<PositionDecider>(), "reader")->control(event, control), kDamaged,
                       CorruptionError);
  CHECK(control.commands().empty());
}
