#include "troupe/callbacks/monitoring/learning_rate_monitor.h"

#include <doctest/doctest.h>

#include "tests/support/fake_run.h"

using namespace troupe;
using troupe::testing::FakeRun;

namespace {

v1::LogLearningRates commanded(LearningRateMonitorOptions options) {
  FakeRun run(std::make_shared<LearningRateMonitor>(options));
  run.start_fit();
  REQUIRE(run.commands().size() == 1);
  return run.commands()[0].log_learning_rates();
}

}  // namespace

TEST_CASE("LearningRateMonitor asks once, at the start of the fit, and never again") {
  FakeRun run(std::make_shared<LearningRateMonitor>());
  CHECK(run.start_fit() == FakeRun::Commands{"log_learning_rates { }"});
  CHECK(run.epoch().empty());
  CHECK(run.resume({}).empty());
  CHECK(run.callback().info().controls.count() == 1);
}

TEST_CASE("LearningRateMonitor hands its options to the loop") {
  CHECK(commanded({}).interval() == v1::LogLearningRates::INTERVAL_UNSPECIFIED);
  CHECK(commanded({.logging_interval = LoggingInterval::kStep}).interval() == v1::LogLearningRates::INTERVAL_STEP);
  const auto how =
      commanded({.log_momentum = true, .log_weight_decay = true, .logging_interval = LoggingInterval::kEpoch});
  CHECK(how.interval() == v1::LogLearningRates::INTERVAL_EPOCH);
  CHECK(how.log_momentum());
  CHECK(how.log_weight_decay());
}
