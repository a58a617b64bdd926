#include "troupe/callbacks/stopping/timer.h"

#include <doctest/doctest.h>

#include "tests/support/captured_stderr.h"
#include "tests/support/fake_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
using troupe::testing::FakeRun;

namespace {

constexpr uint64_t kSecond = 1'000'000;

FakeRun run_with(TimerInterval interval = TimerInterval::kStep) {
  return FakeRun(
      std::make_shared<Timer>(TimerOptions{.duration = "00:00:01:30", .interval = interval, .verbose = false}));
}

const FakeRun::Commands kStop{"stop: time limit of 00:00:01:30 reached"};

}  // namespace

TEST_CASE("Timer votes to stop at the first batch after its time") {
  FakeRun run = run_with();
  CHECK(run.start_fit().empty());
  run.elapsed_us = 90 * kSecond - 1;
  CHECK(run.train_batch().empty());
  run.elapsed_us = 90 * kSecond;
  CHECK(run.train_batch() == kStop);
}

TEST_CASE("Timer that is depleted votes before the first step, at the start and on resume") {
  FakeRun run = run_with();
  run.elapsed_us = 90 * kSecond;
  CHECK(run.start_fit() == kStop);
  CHECK(run.resume({}) == kStop);
}

TEST_CASE("Timer is asked once its time is over, at steps or at epochs, and not before") {
  for (const auto interval : {TimerInterval::kStep, TimerInterval::kEpoch}) {
    FakeRun run = run_with(interval);
    AskSchedule schedule(Timer({.duration = "00:00:01:30", .interval = interval}).ask_when(), {});
    const auto wants = [&](auto body, uint64_t elapsed_us) {
      Event event;
      *EventTraits<decltype(body)>::mutable_body(event) = body;
      event.set_elapsed_us(elapsed_us);
      return schedule.wants(event);
    };
    using Answer = AskSchedule::Answer;
    const bool by_step = interval == TimerInterval::kStep;
    CHECK(wants(TrainBatchEnded(), 89 * kSecond) == Answer::kNo);
    CHECK(wants(TrainEpochEnded(), 89 * kSecond) == Answer::kNo);
    CHECK(wants(TrainBatchEnded(), 90 * kSecond) == (by_step ? Answer::kByClock : Answer::kNo));
    CHECK(wants(TrainEpochEnded(), 91 * kSecond) == (by_step ? Answer::kNo : Answer::kByClock));
    CHECK(wants(TrainBatchEnded(), 92 * kSecond) == Answer::kNo);  // The vote stands.
    CHECK(wants(FitStarted(), 0) == Answer::kYes);
  }
}

TEST_CASE("Timer of no time at all trains nothing, and asks once") {
  FakeRun run(std::make_shared<Timer>(TimerOptions{.duration = "0:00:00:00", .verbose = false}));
  CHECK(run.start_fit() == FakeRun::Commands{"stop: time limit of 0:00:00:00 reached"});
  CHECK(run.train_batch().empty());
}

TEST_CASE("Timer says that the time is over when it is verbose") {
  FakeRun run(std::make_shared<Timer>(TimerOptions{.duration = "00:00:00:10"}));
  CapturedStderr captured;
  run.elapsed_us = 3661 * kSecond;
  run.start_fit();
  CHECK(captured.text() == "Timer: the run has run for 00:01:01:01 of 00:00:00:10; stopping\n");
}

TEST_CASE("Timer refuses what is no duration") {
  for (const char* text : {"", "90", "01:30", "00:01:30", "00:00:01:3", "aa:00:00:01", "-1:00:00:01"}) {
    CHECK_THROWS_AS(Timer({.duration = text}), ConfigError);
  }
}
