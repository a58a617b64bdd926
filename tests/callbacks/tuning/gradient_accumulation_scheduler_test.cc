#include "troupe/callbacks/tuning/gradient_accumulation_scheduler.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/fake_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using troupe::testing::FakeRun;
using troupe::testing::usual_fit;

namespace {

using Scheduling = std::map<int64_t, int64_t>;

FakeRun accumulating(const Scheduling& scheduling) {
  FakeRun run(
      std::make_shared<GradientAccumulationScheduler>(GradientAccumulationSchedulerOptions{.scheduling = scheduling}));
  FitStarted fit = usual_fit();
  fit.set_accumulate_grad_batches(1);
  run.start_fit(fit);
  return run;
}

/// What it commands at the start of each of so many epochs: batches, or 0 for nothing.
std::vector<uint32_t> commanded(FakeRun& run, int epochs) {
  std::vector<uint32_t> batches;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const size_t before = run.commands().size();
    run.send(TrainEpochStarted());
    batches.push_back(run.commands().size() == before ? 0 : run.commands().back().set_accumulation().batches());
    run.train_batch();
    run.end_epoch();
  }
  return batches;
}

}  // namespace

TEST_CASE("GradientAccumulationScheduler commands the number of batches that an epoch begins with, once") {
  FakeRun run = accumulating({{0, 4}, {2, 8}, {3, 1}});
  CHECK(commanded(run, 6) == std::vector<uint32_t>{4, 0, 8, 1, 0, 0});
  CHECK(run.state().accumulate_grad_batches() == 1);
}

TEST_CASE("GradientAccumulationScheduler leaves the epochs before its first entry at 1") {
  FakeRun run = accumulating({{2, 3}});
  CHECK(commanded(run, 4) == std::vector<uint32_t>{0, 0, 3, 0});
}

TEST_CASE("GradientAccumulationScheduler takes back at the next epoch what others commanded") {
  FakeRun run = accumulating({{0, 2}});
  CHECK(commanded(run, 1) == std::vector<uint32_t>{2});
  CommandApplied applied;
  applied.set_from("operator");
  applied.mutable_command()->mutable_set_accumulation()->set_batches(5);
  run.send(applied);
  REQUIRE(run.state().accumulate_grad_batches() == 5);
  CHECK(commanded(run, 2) == std::vector<uint32_t>{2, 0});
}

TEST_CASE("GradientAccumulationScheduler knows the batches of every epoch") {
  const GradientAccumulationScheduler scheduler({.scheduling = {{3, 4}, {7, 2}}});
  for (const auto& [epoch, batches] : Scheduling{{0, 1}, {2, 1}, {3, 4}, {6, 4}, {7, 2}, {1'000'000, 2}}) {
    CHECK(scheduler.batches_in(epoch) == batches);
  }
}

TEST_CASE("GradientAccumulationScheduler refuses what is no schedule") {
  for (const Scheduling& scheduling :
       {Scheduling{}, Scheduling{{-1, 2}}, Scheduling{{0, 0}}, Scheduling{{0, 2}, {3, -4}},
        Scheduling{{0, int64_t{std::numeric_limits<uint32_t>::max()} + 1}}}) {
    CHECK_THROWS_AS(GradientAccumulationScheduler({.scheduling = scheduling}), ConfigError);
  }
  CHECK_THROWS_WITH_AS(GradientAccumulationScheduler({.scheduling = {{0, 0}}}),
                       "GradientAccumulationScheduler: 'scheduling': must be a map, each key an integer of at least 0, "
                       "each value an integer of at least 1 and of at most 4294967295, got {\"0\":0}",
                       ConfigError);
}
