#include "troupe/runtime/callback/ask_when.h"

#include <doctest/doctest.h>

using namespace troupe;

namespace {

Event batch_ended(uint32_t batch_index, uint64_t global_step, uint64_t elapsed_us = 0, uint32_t epoch = 0) {
  Event event;
  event.mutable_train_batch_ended();
  event.mutable_position()->set_stage(v1::STAGE_FIT);
  event.mutable_position()->set_epoch(epoch);
  event.mutable_position()->set_batch_index(batch_index);
  event.mutable_position()->set_global_step(global_step);
  event.set_elapsed_us(elapsed_us);
  return event;
}

AskSchedule schedule(const AskPeriods& periods) {
  return {{ask_when<TrainBatchEnded>(periods)}, Position()};
}

v1::ClockDecision decided(uint64_t elapsed_us) {
  v1::ClockDecision decision;
  decision.set_kind(v1::ClockDecision::KIND_TRIGGER);
  decision.set_event(static_cast<uint32_t>(Event::kTrainBatchEnded));
  decision.set_elapsed_us(elapsed_us);
  return decision;
}

using Answer = AskSchedule::Answer;

}  // namespace

TEST_CASE("a type without a line is always asked about") {
  AskSchedule none({}, Position());
  CHECK(none.wants(batch_ended(0, 0)) == Answer::kYes);
  auto other = AskSchedule({ask_when<ValidationEnded>({.every_n_epochs = 2})}, Position());
  CHECK(other.wants(batch_ended(0, 0)) == Answer::kYes);
}

TEST_CASE("every_n_batches asks after the n-th, 2n-th, ... batch of each epoch") {
  auto asks = schedule({.every_n_batches = 2});
  CHECK(asks.wants(batch_ended(0, 1)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 2)) == Answer::kYes);
  CHECK(asks.wants(batch_ended(2, 3)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(0, 4, 0, 1)) == Answer::kNo);
}

TEST_CASE("every_n_steps asks once at each multiple, not at every batch of its window") {
  auto asks = schedule({.every_n_steps = 2});
  CHECK(asks.wants(batch_ended(0, 0)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 1)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(2, 2)) == Answer::kYes);
  CHECK(asks.wants(batch_ended(3, 2)) == Answer::kNo);
}

TEST_CASE("during_every_n_steps asks whatever happens before the n-th, 2n-th, ... step is made") {
  auto asks = schedule({.during_every_n_steps = 3});
  CHECK(asks.wants(batch_ended(0, 1)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 2)) == Answer::kYes);
  CHECK(asks.wants(batch_ended(2, 2)) == Answer::kYes);
  CHECK(asks.wants(batch_ended(3, 3)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(4, 5)) == Answer::kYes);
  auto first = schedule({.during_every_n_steps = 1});
  CHECK(first.wants(batch_ended(0, 0)) == Answer::kYes);
}

TEST_CASE("a step that had been made when the run was taken up again is not asked about") {
  Position position;
  position.set_global_step(2);
  AskSchedule asks({ask_when<TrainBatchEnded>({.every_n_steps = 2})}, position);
  CHECK(asks.wants(batch_ended(3, 2)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(5, 4)) == Answer::kYes);
}

TEST_CASE("every_n_epochs and the other periods must all agree") {
  auto asks = schedule({.every_n_batches = 2, .every_n_epochs = 2});
  CHECK(asks.wants(batch_ended(1, 2, 0, 0)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(0, 3, 0, 1)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 4, 0, 1)) == Answer::kYes);
}

TEST_CASE("after_s asks once, and says that a clock decided") {
  auto asks = schedule({.after_s = 2});
  CHECK(asks.wants(batch_ended(0, 1, 1999999)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 2, 2000000)) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(2, 3, 9000000)) == Answer::kNo);
}

TEST_CASE("every_s counts from when it asked last, in an earlier process too") {
  AskSchedule asks({ask_when<TrainBatchEnded>({.every_s = 1})}, Position(), {decided(4000000), decided(5000000)});
  CHECK(asks.wants(batch_ended(0, 1, 5999999)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 2, 6500000)) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(2, 3, 7400000)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(3, 4, 7500000)) == Answer::kByClock);
}

TEST_CASE("after_s does not ask again in the process that goes on") {
  const std::vector<AskWhen> lines{ask_when<TrainBatchEnded>({.after_s = 2})};
  AskSchedule asked_before(lines, Position(), {decided(2500000)});
  CHECK(asked_before.wants(batch_ended(0, 1, 3000000)) == Answer::kNo);
  AskSchedule not_asked_before(lines, Position());
  CHECK(not_asked_before.wants(batch_ended(0, 1, 3000000)) == Answer::kByClock);
}

TEST_CASE("of several lines for a type one is enough, and a count beats a clock") {
  AskSchedule asks({ask_when<TrainBatchEnded>({.every_n_batches = 3}), ask_when<TrainBatchEnded>({.every_s = 1})},
                   Position());
  CHECK(asks.wants(batch_ended(0, 1, 10)) == Answer::kNo);
  CHECK(asks.wants(batch_ended(1, 2, 1000000)) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(2, 3, 2000000)) == Answer::kYes);
}

TEST_CASE("the sanity check can be left out") {
  auto event = batch_ended(0, 0);
  event.mutable_position()->set_stage(v1::STAGE_SANITY_CHECK);
  CHECK(schedule({.sanity_checking = false}).wants(event) == Answer::kNo);
  CHECK(schedule({}).wants(event) == Answer::kYes);
}

TEST_CASE("what an earlier process decided by the clock wins over the clock") {
  auto asks = schedule({.every_s = 1});
  CHECK(asks.has_clock(Event::kTrainBatchEnded));
  CHECK_FALSE(asks.has_clock(Event::kTrainEpochEnded));
  CHECK(asks.wants(batch_ended(0, 1, 100'000), DecidedBefore::kYes, 1'200'000) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(1, 2, 5'000'000), DecidedBefore::kNo, 5'000'000) == Answer::kNo);
  CHECK(asks.wants(batch_ended(2, 3, 5'000'001)) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(3, 4, 5'000'002)) == Answer::kNo);
  auto once = schedule({.after_s = 1});
  CHECK(once.wants(batch_ended(0, 1, 100'000), DecidedBefore::kYes, 1'000'000) == Answer::kByClock);
  CHECK(once.wants(batch_ended(1, 2, 5'000'000)) == Answer::kNo);
}

TEST_CASE("a decision that is repeated counts for the lines that were due then") {
  AskSchedule asks({ask_when<TrainBatchEnded>({.every_s = 1}), ask_when<TrainBatchEnded>({.after_s = 60})}, Position());
  CHECK(asks.wants(batch_ended(0, 1, 100'000), DecidedBefore::kYes, 1'000'000) == Answer::kByClock);
  CHECK(asks.wants(batch_ended(1, 2, 1'500'000)) == Answer::kNo);
  AskSchedule only_late({ask_when<TrainBatchEnded>({.every_s = 3600}), ask_when<TrainBatchEnded>({.after_s = 60})},
                        Position(), {decided(30'000'000)});
  CHECK(only_late.wants(batch_ended(0, 1, 60'000'000)) == Answer::kByClock);
}
