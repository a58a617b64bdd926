#include "actors/callback_host.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace troupe;

namespace {

struct Counter {
  int64_t epochs = 0;
  int64_t fail_at = -1;
  void on(const TrainEpochEnded& /*event*/) {
    if (++epochs == fail_at) {
      throw std::runtime_error("cannot count on");
    }
  }
  StateDict state_dict() const {
    StateDict state;
    state.set("epochs", epochs);
    return state;
  }
  void load_state_dict(const StateDict& state) { epochs = state.get_int("epochs"); }
};

struct Judge : Counter {
  using Counter::on;
  void on(const ValidationEnded& /*event*/, Control& control) { control.stop("counted " + std::to_string(epochs)); }
};

template <class T>
struct Hosted {
  std::shared_ptr<T> counter = std::make_shared<T>();
  std::shared_ptr<Lane> lane = std::make_shared<Lane>(8);
  std::shared_ptr<EventQueue> queue = std::make_shared<EventQueue>(8);
  CallbackHost host{make_callback(counter, "counter"), lane, queue};

  void deliver_epochs(int64_t number) {
    std::vector<Delivery> batch;
    for (int64_t i = 0; i < number; ++i) {
      auto event = std::make_shared<Event>();
      event->set_seq(static_cast<uint64_t>(i) + 1);
      event->mutable_train_epoch_ended();
      batch.push_back({event, nullptr});
    }
    lane->add(number);
    host.deliver(batch, number);
  }
  v1::CallbackHealth health() const {
    HealthCollector healths({"counter"});
    host.report(healths);
    return healths.take().at(0).second;
  }
};

}  // namespace

TEST_CASE("a host delivers the events that its callback takes and gives the lane its room back") {
  Hosted<Counter> hosted;
  hosted.deliver_epochs(8);
  CHECK(hosted.counter->epochs == 8);
  CHECK(hosted.lane->has_room(8));
  CHECK(hosted.health().delivered() == 8);
}

TEST_CASE("a hook that throws detaches the callback, and two events say so") {
  Hosted<Counter> hosted;
  hosted.counter->fail_at = 2;
  hosted.deliver_epochs(4);
  CHECK(hosted.counter->epochs == 2);
  CHECK(hosted.lane->detached());
  CHECK(hosted.lane->has_room(8));
  std::vector<QueueItem> items;
  hosted.queue->take(items, std::chrono::microseconds(0));
  REQUIRE(items.size() == 2);
  CHECK(items[0].event->callback_failed().message() == "TrainEpochEnded: cannot count on");
  CHECK(items[0].event->callback_failed().event_seq() == 2);
  CHECK(items[1].event->callback_detached().state_key() == "counter");
  CHECK(hosted.health().failures() == 1);
}

TEST_CASE("a controller's commands are the answer, and the error of its observer hook is the next one") {
  Hosted<Judge> hosted;
  Event event;
  event.mutable_validation_ended();
  RoundCollector round({"counter"});
  hosted.host.decide(event, RunState(), round);
  CHECK(round.wait(std::chrono::milliseconds(0)).empty());
  CHECK(round.take().at(0).second.commands.at(0).stop().reason() == "counted 0");
  hosted.counter->fail_at = 1;
  hosted.deliver_epochs(2);
  CHECK_FALSE(hosted.lane->detached());
  RoundCollector next({"counter"});
  hosted.host.decide(event, RunState(), next);
  CHECK(next.take().at(0).second.error == "TrainEpochEnded: cannot count on");
}

TEST_CASE("the captured state is that after the events before it; a detached callback has none") {
  Hosted<Counter> hosted;
  hosted.deliver_epochs(3);
  StateCollector first({"counter"});
  hosted.host.capture(3, first);
  const auto state = first.take().at(0).second;
  CHECK(state.seq() == 3);
  CHECK(StateDict(state.state()).get_int("epochs") == 3);
  hosted.counter->fail_at = 4;
  hosted.deliver_epochs(1);
  StateCollector second({"counter"});
  hosted.host.capture(9, second);
  CHECK_FALSE(second.take().at(0).second.has_state());
}

TEST_CASE("a collector names who has not answered, and drops whom it does not expect") {
  HealthCollector healths({"a", "b"});
  healths.add("c", {});
  healths.add("a", {});
  healths.add("a", {});
  CHECK(healths.wait(std::chrono::milliseconds(0)) == std::vector<std::string>{"b"});
  CHECK(healths.take().size() == 1);
}

TEST_CASE("a lane has room up to its limit, and always for something when it is empty") {
  Lane lane(4);
  CHECK(lane.has_room(100));
  lane.add(3);
  CHECK(lane.has_room(1));
  CHECK_FALSE(lane.has_room(2));
  CHECK_FALSE(lane.wait_for_room(2, std::chrono::milliseconds(0)));
  lane.done(3);
  CHECK(lane.wait_for_room(2, std::chrono::milliseconds(0)));
}
