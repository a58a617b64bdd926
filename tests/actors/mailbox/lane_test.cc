#include "troupe/actors/mailbox/lane.h"

#include <doctest/doctest.h>

#include "tests/support/tensor_stand_ins.h"

using namespace troupe;

namespace {

CallbackInfo info_of(LanePolicy policy, int64_t events_max) {
  CallbackInfo info;
  info.observes.set(Event::kTrainBatchEnded);
  info.observes.set(Event::kTrainEpochEnded);
  info.policy.lane = policy;
  info.policy.lane_events_max = events_max;
  return info;
}

/// A batch event for every seq, an epoch's where the seq is a multiple of 10, and one that the callback does not take.
DeliveryBatch batch_of(uint64_t first_seq, uint64_t last_seq) {
  auto batch = std::make_shared<std::vector<Delivery>>();
  for (uint64_t seq = first_seq; seq <= last_seq; ++seq) {
    auto event = std::make_shared<Event>();
    event->set_seq(seq);
    if (seq % 10 == 0) {
      event->mutable_train_epoch_ended();
    } else {
      event->mutable_train_batch_ended();
    }
    batch->push_back({event, nullptr, nullptr, 0});
  }
  auto other = std::make_shared<Event>();
  other->set_seq(last_seq);
  other->mutable_fit_ended();
  batch->push_back({other, nullptr, nullptr, 0});
  return batch;
}

/// What came out of a lane, as text: "1 2", "gap(0,3]x3 4", "task@4", "log(4,9]".
std::string drain(Lane& lane, const EventTypeSet& observes) {
  std::string text;
  const auto add = [&](const std::string& word) { text.append(text.empty() ? "" : " ").append(word); };
  while (auto work = lane.take()) {
    if (const auto* events = std::get_if<LaneEvents>(&*work)) {
      if (events->gap) {
        add("gap(" + std::to_string(events->gap->after_seq) + "," + std::to_string(events->gap->until_seq) + "]x" +
            std::to_string(events->gap->events));
      }
      for (size_t i = events->first; i < events->last; ++i) {
        const Event& event = *(*events->batch)[i].event;
        if (observes[event.body_case()]) {
          add(std::to_string(event.seq()));
        }
      }
      lane.done(*events);
    } else if (const auto* task = std::get_if<LaneTask>(&*work)) {
      add("task@" + std::to_string(task->seq));
    } else {
      const auto& missed = std::get<LaneCatchUp>(*work);
      add("log(" + std::to_string(missed.after_seq) + "," + std::to_string(missed.until_seq) + "]");
      lane.caught_up(missed.until_seq, static_cast<int64_t>(missed.until_seq - missed.after_seq));
    }
  }
  return text;
}

std::string drain(Lane& lane) {
  return drain(lane, info_of(LanePolicy::kSpill, 1).observes);
}

}  // namespace

TEST_CASE("a lane hands on what the callback takes, in order, and asks for one wake-up until it is empty") {
  Lane lane(info_of(LanePolicy::kDropOldest, 100));
  CHECK(lane.add(batch_of(1, 3)));
  CHECK_FALSE(lane.add(LaneTask{3, [](CallbackHost&) {}}));
  CHECK_FALSE(lane.add(batch_of(4, 4)));
  CHECK(lane.lag() == 4);
  CHECK(drain(lane) == "1 2 3 task@3 4");
  CHECK(lane.lag() == 0);
  CHECK(lane.add(batch_of(5, 5)));
}

TEST_CASE("a batch without anything for the callback wakes nobody") {
  Lane lane(info_of(LanePolicy::kDropOldest, 100));
  auto batch = std::make_shared<std::vector<Delivery>>();
  auto event = std::make_shared<Event>();
  event->mutable_fit_ended();
  batch->push_back({event, nullptr, nullptr, 0});
  CHECK_FALSE(lane.add(DeliveryBatch(batch)));
}

TEST_CASE("drop_oldest keeps the newest, counts what it drops, and tells the gap") {
  Lane lane(info_of(LanePolicy::kDropOldest, 4));
  lane.add(batch_of(1, 3));
  lane.add(LaneTask{3, [](CallbackHost&) {}});
  lane.add(batch_of(4, 6));
  CHECK(lane.queued() == 4);
  lane.add(batch_of(7, 8));
  CHECK(lane.queued() == 4);
  CHECK(lane.dropped() == 4);
  CHECK(drain(lane) == "task@3 gap(0,4]x4 5 6 7 8");
}

TEST_CASE("drop_oldest bounds a batch that alone is too much") {
  Lane lane(info_of(LanePolicy::kDropOldest, 2));
  lane.add(batch_of(1, 9));
  CHECK(lane.queued() == 2);
  CHECK(drain(lane) == "gap(0,7]x7 8 9");
}

TEST_CASE("events out for delivery count until they are done") {
  Lane lane(info_of(LanePolicy::kDropOldest, 4));
  lane.add(batch_of(1, 4));
  const auto work = lane.take();
  CHECK(lane.queued() == 4);
  lane.add(batch_of(5, 6));
  CHECK(lane.queued() == 4);
  CHECK(lane.dropped() == 2);
  lane.done(std::get<LaneEvents>(*work));
  CHECK(lane.queued() == 0);
  CHECK(drain(lane) == "gap(4,6]x2");
}

TEST_CASE("coalesce keeps the latest of each type") {
  Lane lane(info_of(LanePolicy::kCoalesce, 5));
  lane.add(batch_of(8, 12));
  CHECK(lane.queued() == 5);
  lane.add(batch_of(13, 14));
  CHECK(lane.queued() == 2);
  CHECK(lane.dropped() == 5);
  CHECK(drain(lane) == "gap(7,13]x5 10 14");
}

TEST_CASE("spill leaves events to the log and goes on in memory when it has caught up") {
  Lane lane(info_of(LanePolicy::kSpill, 3));
  lane.add(batch_of(1, 3));
  lane.add(batch_of(4, 6));
  lane.add(batch_of(7, 9));
  CHECK(lane.queued() == 3);
  CHECK(lane.lag() == 9);
  CHECK(drain(lane) == "1 2 3 log(3,9]");
  CHECK(lane.lag() == 0);
  lane.add(batch_of(11, 12));
  CHECK(drain(lane) == "11 12");
  CHECK(lane.dropped() == 0);
}

TEST_CASE("a task comes after the spilled events before it, and before those after it") {
  Lane lane(info_of(LanePolicy::kSpill, 2));
  lane.add(batch_of(1, 3));
  lane.add(LaneTask{3, [](CallbackHost&) {}});
  lane.add(batch_of(4, 5));
  lane.add(LaneTask{5, [](CallbackHost&) {}});
  lane.add(batch_of(6, 6));
  CHECK(drain(lane) == "log(0,3] task@3 log(3,5] task@5 log(5,6]");
}

TEST_CASE("what is spilled while the log is read is read too") {
  Lane lane(info_of(LanePolicy::kSpill, 2));
  lane.add(batch_of(1, 3));
  const auto first = std::get<LaneCatchUp>(*lane.take());
  CHECK(first.until_seq == 3);
  lane.add(batch_of(4, 5));
  lane.caught_up(first.until_seq, 3);
  CHECK(drain(lane) == "log(3,5]");
}

TEST_CASE("a callback that starts behind catches up first") {
  Lane lane(info_of(LanePolicy::kSpill, 100));
  lane.start_behind(4, 9);
  CHECK(lane.add(batch_of(11, 12)));
  CHECK(drain(lane) == "log(4,12]");
}

TEST_CASE("tensors are bounded in bytes") {
  CallbackInfo info = info_of(LanePolicy::kDropOldest, 100);
  info.outputs = info.observes;
  info.policy.lane_bytes_max = 100;
  Lane lane(info);
  auto batch = std::make_shared<std::vector<Delivery>>();
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    auto event = std::make_shared<Event>();
    event->set_seq(seq);
    event->mutable_train_batch_ended();
    batch->push_back({event, nullptr, std::make_shared<const StepOutputs>(), 40});
  }
  lane.add(DeliveryBatch(batch));
  CHECK(drain(lane) == "gap(0,2]x2 3 4");
}

TEST_CASE("a detached lane lets tasks in and no events") {
  Lane lane(info_of(LanePolicy::kSpill, 2));
  lane.add(batch_of(1, 3));
  lane.detach();
  CHECK_FALSE(lane.add(batch_of(4, 5)));
  lane.add(LaneTask{5, [](CallbackHost&) {}});
  CHECK(drain(lane) == "task@5");
  CHECK(lane.queued() == 0);
}
