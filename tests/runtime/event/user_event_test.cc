#include "troupe/runtime/event/user_event.h"

#include <doctest/doctest.h>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("an event of named values keeps their types") {
  const EventValues values = {{"a", 1.5}, {"b", int64_t{2}}, {"c", std::string("three")}, {"d", true}};
  const auto event = make_user_event("measured", values);
  CHECK(event.type() == "measured");
  CHECK(event.values(0).name() == "a");
  CHECK((event_values(event) == values));
  CHECK_THROWS_AS(make_user_event("", values), ConfigError);
}

TEST_CASE("an event of named values is text: other bytes are refused") {
  CHECK_THROWS_AS(make_user_event("\xff", {}), ConfigError);
  CHECK_THROWS_AS(make_user_event("measured", {{"\xff", 1.5}}), ConfigError);
  CHECK_THROWS_WITH_AS(make_user_event("measured", {{"a", std::string("\xff")}}),
                       "emit('measured'): its type, and the names and texts of its values, must be UTF-8; emit a "
                       "message with a field of bytes for others",
                       ConfigError);
}

TEST_CASE("an event of a message has its full name and its bytes") {
  Position position;
  position.set_epoch(3);
  const auto event = make_user_event(position);
  CHECK(event.type() == "troupe.v1.Position");
  Position read;
  CHECK(read.ParseFromString(event.payload()));
  CHECK(read.epoch() == 3);
}

TEST_CASE("a module emits events where it stands, in steps and in hooks") {
  SmallFit fit;
  fit.module->in_training_step = [&](int64_t batch_index) {
    fit.module->emit("step", {{"batch", batch_index}});
    fit.module->emit(Position());
  };
  fit.run();
  const auto events = fit.events<UserEvent>();
  REQUIRE(events.size() == 24);
  CHECK(events[4].user_event().type() == "step");
  CHECK(events[4].user_event().from().empty());
  CHECK(events[4].position().batch_index() == 2);
  CHECK(events[5].user_event().type() == "troupe.v1.Position");
  CHECK_THROWS_AS(fit.module->emit("late", {}), ConfigError);
}

TEST_CASE("what a controller emits comes after its command, under its name, and can be decided on") {
  SmallFit fit;
  fit.sink.asked.set(Event::kTrainStarted);
  fit.sink.asked.set(Event::kUserEvent);
  fit.sink.decide = [&fit](const Event& event) {
    Control control(fit.sink.run);
    if (event.has_train_started()) {
      control.emit(make_user_event("alarm", {{"level", int64_t{3}}}));
      control.set_learning_rate(0.5);
      control.emit(make_user_event("second", {}));
    } else if (event.user_event().type() == "alarm") {
      control.log("level", 3);
      v1::SaveCheckpoint save;
      save.set_path("x.ckpt");
      control.save_checkpoint(save);
    }
    std::vector<Decision> decisions;
    for (const auto& command : control.commands()) {
      decisions.push_back({"c", "Controller", command});
    }
    return decisions;
  };
  fit.run();
  std::vector<std::string> kinds;
  for (const auto& event : fit.sink.events) {
    if (event->has_command_applied()) {
      kinds.emplace_back(command_name(event->command_applied().command()));
    } else if (event->has_command_refused()) {
      kinds.emplace_back("refused");
    } else if (event->has_user_event()) {
      CHECK(event->user_event().from() == "c");
      kinds.push_back(event->user_event().type());
    }
  }
  CHECK(kinds ==
        std::vector<std::string>{"SetLearningRate", "Custom", "alarm", "LogMetric", "refused", "Custom", "second"});
}

TEST_CASE("tensors travel beside an event only where they are taken") {
  SmallFit fit;
  fit.sink.outputs_taken.set(Event::kTrainBatchEnded);
  fit.run();
  for (size_t i = 0; i < fit.sink.outputs.size(); ++i) {
    CHECK((fit.sink.outputs[i] != nullptr) == fit.sink.events[i]->has_train_batch_ended());
  }
}
