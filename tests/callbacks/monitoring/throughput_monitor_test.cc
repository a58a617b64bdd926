#include "troupe/callbacks/monitoring/throughput_monitor.h"

#include <doctest/doctest.h>

#include "tests/support/fake_run.h"
#include "tests/support/kept_measurements.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr uint64_t kMillisecond = 1000;

/// A fit of batches of 8 samples that logs every n steps.
struct Timed {
  explicit Timed(ThroughputMonitorOptions options, uint32_t log_every_n_steps = 1)
      : callback(std::make_shared<ThroughputMonitor>(std::move(options))), run(callback) {
    callback->set_outbox(kept);
    FitStarted fit = usual_fit();
    fit.set_log_every_n_steps(log_every_n_steps);
    run.start_fit(fit);
    pass(700);  // Before training.
    run.send(TrainStarted());
  }

  void pass(uint64_t milliseconds) { run.elapsed_us += milliseconds * kMillisecond; }
  void batch(uint64_t milliseconds, bool steps = true) {
    pass(milliseconds);
    run.position().set_global_step(run.position().global_step() + (steps ? 1 : 0));
    TrainBatchEnded ended;
    ended.set_samples(8);
    run.send(ended);
  }
  const Measurements& last() const { return kept->events.back(); }

  std::shared_ptr<KeptMeasurements> kept = std::make_shared<KeptMeasurements>();
  std::shared_ptr<ThroughputMonitor> callback;
  FakeRun run;
};

}  // namespace

TEST_CASE("ThroughputMonitor tells totals at once, and rates when its window is full") {
  Timed timed({.window_size = 3});
  timed.batch(900);
  CHECK(timed.last() == Measurements{{"train/batches", 1}, {"train/samples", 8}, {"train/time", 0.9}});
  timed.batch(100);
  CHECK(timed.last() == Measurements{{"train/batches", 2}, {"train/samples", 16}, {"train/time", 1}});
  timed.batch(400);  // From the first batch's end on: 2 batches in 0.5 s.
  CHECK(timed.last() == Measurements{{"train/batches", 3},
                                     {"train/device/batches_per_sec", 4},
                                     {"train/device/samples_per_sec", 32},
                                     {"train/samples", 24},
                                     {"train/time", 1.4}});
  timed.batch(600);  // 2 batches in 1 s.
  CHECK(timed.last().at("train/device/samples_per_sec") == 16);
}

TEST_CASE("ThroughputMonitor knows items, operations and the utilisation where it is told of them") {
  Timed timed(
      {.flops_available = 4e3, .flops_per_batch = 500, .items_per_sample = 2.5, .separator = ".", .window_size = 2});
  timed.batch(100);
  timed.batch(250);
  CHECK(timed.last() == Measurements{{"train.batches", 2},
                                     {"train.device.batches_per_sec", 4},
                                     {"train.device.flops_per_sec", 2000},
                                     {"train.device.items_per_sec", 80},
                                     {"train.device.mfu", 0.5},
                                     {"train.device.samples_per_sec", 32},
                                     {"train.lengths", 40},
                                     {"train.samples", 16},
                                     {"train.time", 0.35}});
}

TEST_CASE("ThroughputMonitor leaves out validations and pauses, with what comes between them and the last batch") {
  Timed timed({.window_size = 2});
  timed.batch(100);
  timed.pass(3000);
  timed.run.validate();
  timed.pass(100);
  timed.batch(100);
  CHECK(timed.last().at("train/time") == 0.3);
  CHECK(timed.last().at("train/device/batches_per_sec") == 5);

  timed.pass(5000);
  CommandApplied resumed;
  resumed.mutable_command()->mutable_resume();
  timed.run.send(resumed);
  timed.batch(200);
  CHECK(timed.last().at("train/time") == 0.5);

  CommandApplied other;
  other.mutable_command()->mutable_pause();
  timed.pass(500);
  timed.run.send(other);
  timed.batch(500);
  CHECK(timed.last().at("train/time") == 1.5);
}

TEST_CASE("ThroughputMonitor tells every log_every_n_steps steps, not where a batch only accumulates") {
  Timed timed({.window_size = 2}, /*log_every_n_steps=*/2);
  for (int i = 0; i < 6; ++i) {
    timed.batch(10, /*steps=*/false);
    timed.batch(10);
  }
  REQUIRE(timed.kept->events.size() == 3);
  CHECK(timed.kept->events[0].at("train/batches") == 4);
  CHECK(timed.kept->events[2].at("train/samples") == 96);
  Timed silent({.window_size = 2}, /*log_every_n_steps=*/0);
  silent.batch(10);
  CHECK(silent.kept->events.empty());
}

TEST_CASE("ThroughputMonitor starts anew in a resumed run") {
  Timed timed({.window_size = 2});
  timed.batch(100);
  timed.batch(100);
  timed.pass(9000);
  timed.run.resume({});
  timed.batch(100);
  CHECK(timed.last() == Measurements{{"train/batches", 1}, {"train/samples", 8}, {"train/time", 0.1}});
}

TEST_CASE("ThroughputMonitor gives no rates for batches that took no time") {
  Timed timed({.window_size = 2});
  timed.batch(0);
  timed.batch(0);
  CHECK(timed.last() == Measurements{{"train/batches", 2}, {"train/samples", 16}, {"train/time", 0}});
}

TEST_CASE("ThroughputMonitor refuses options that make no sense") {
  const auto refuses = [](const ThroughputMonitorOptions& options) {
    CHECK_THROWS_AS(ThroughputMonitor{options}, ConfigError);
  };
  refuses({.window_size = 1});
  refuses({.flops_per_batch = 0});
  refuses({.items_per_sample = -1});
  refuses({.separator = ""});
  CHECK_THROWS_WITH_AS(ThroughputMonitor({.flops_available = 1e12}), doctest::Contains("needs 'flops_per_batch' too"),
                       ConfigError);
}
