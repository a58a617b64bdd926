#include "troupe/runtime/schedule/lr_schedule.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Compares steps 0, 1, ... with what PyTorch's own schedulers (1.13; 2.13 from linear on) left in the optimizer:
///   optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base_lr)
///   scheduler = CosineAnnealingLR(optimizer, T_max=5, eta_min=0.01)
///   for _ in range(n): print(optimizer.param_groups[0]["lr"]); optimizer.step(); scheduler.step()
void check_against_pytorch(const LrSchedule& schedule, double base_lr, const std::vector<double>& expected) {
  for (size_t step = 0; step < expected.size(); ++step) {
    CAPTURE(schedule.name());
    CAPTURE(step);
    CHECK(schedule(base_lr, static_cast<int64_t>(step)) == doctest::Approx(expected[step]).epsilon(1e-13));
  }
}

}  // namespace

TEST_CASE("a schedule by default keeps the initial rate") {
  CHECK(LrSchedule()(0.1, 12345) == 0.1);
}

TEST_CASE("constant is ConstantLR(factor=0.25, total_iters=3)") {
  check_against_pytorch(lr_schedule::constant(0.25, 3), 0.1, {0.025, 0.025, 0.025, 0.1, 0.1, 0.1});
}

TEST_CASE("step is StepLR(step_size=2, gamma=0.5)") {
  check_against_pytorch(lr_schedule::step(2, 0.5), 0.1, {0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125});
}

TEST_CASE("multi_step is MultiStepLR(milestones=[1, 3, 3, 5], gamma=0.5)") {
  check_against_pytorch(lr_schedule::multi_step({1, 3, 3, 5}, 0.5), 0.1,
                        {0.1, 0.05, 0.05, 0.0125, 0.0125, 0.00625, 0.00625});
}

TEST_CASE("exponential is ExponentialLR(gamma=0.9)") {
  check_against_pytorch(
      lr_schedule::exponential(0.9), 0.1,
      {0.1, 0.09000000000000001, 0.08100000000000002, 0.07290000000000002, 0.06561000000000002, 0.05904900000000002});
}

TEST_CASE("cosine is CosineAnnealingLR(T_max=5, eta_min=0.01), also past T_max") {
  check_against_pytorch(lr_schedule::cosine(5, 0.01), 0.1,
                        {0.1, 0.09140576474687263, 0.06890576474687263, 0.04109423525312736, 0.01859423525312737, 0.01,
                         0.01859423525312737, 0.04109423525312739, 0.06890576474687267, 0.09140576474687269,
                         0.10000000000000006, 0.09140576474687272});
}

TEST_CASE("linear_warmup is LinearLR, and SequentialLR with what follows") {
  check_against_pytorch(lr_schedule::linear_warmup(3), 0.3,
                        {0.09999999999999999, 0.16666666666666666, 0.2333333333333333, 0.3, 0.3, 0.3});
  check_against_pytorch(lr_schedule::linear_warmup(4, 0.2, lr_schedule::cosine(5, 0.01)), 0.1,
                        {0.02, 0.04, 0.06, 0.08, 0.1, 0.09140576474687263, 0.06890576474687263, 0.04109423525312736,
                         0.01859423525312737, 0.01});
}

TEST_CASE("linear is LinearLR(start_factor, end_factor, total_iters)") {
  check_against_pytorch(lr_schedule::linear(4, 0.25, 0.75), 0.1,
                        {0.025, 0.037500000000000006, 0.05, 0.0625, 0.075, 0.075, 0.075});
  check_against_pytorch(
      lr_schedule::linear(5, 1.0, 0.0), 0.1,
      {0.1, 0.08000000000000002, 0.06000000000000001, 0.040000000000000015, 0.020000000000000007, 0.0, 0.0});
}

TEST_CASE("polynomial is PolynomialLR(total_iters, power)") {
  check_against_pytorch(lr_schedule::polynomial(4, 2.0), 0.1,
                        {0.1, 0.05625, 0.024999999999999998, 0.0062499999999999995, 0.0, 0.0, 0.0});
  check_against_pytorch(
      lr_schedule::polynomial(5, 0.9), 0.1,
      {0.1, 0.08180521460508584, 0.06314458674893553, 0.043838329055408694, 0.023492378861760376, 0.0, 0.0});
}

TEST_CASE("cosine_with_restarts is CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)") {
  check_against_pytorch(lr_schedule::cosine_with_restarts(3, 1, 0.01), 0.1,
                        {0.1, 0.0775, 0.032500000000000015, 0.1, 0.0775, 0.032500000000000015, 0.1, 0.0775});
  check_against_pytorch(lr_schedule::cosine_with_restarts(2, 2, 0.01), 0.1,
                        {0.1, 0.05500000000000001, 0.1, 0.08681980515339464, 0.05500000000000001, 0.023180194846605363,
                         0.1, 0.0965745789630079, 0.08681980515339464, 0.07222075445642905, 0.05500000000000001,
                         0.03777924554357097, 0.023180194846605363, 0.013425421036992097, 0.1});
  check_against_pytorch(lr_schedule::cosine_with_restarts(2, 3), 0.1,
                        {0.1, 0.05, 0.1, 0.09330127018922195, 0.07500000000000001, 0.05, 0.025000000000000012,
                         0.006698729810778065, 0.1, 0.09924038765061041});
}

TEST_CASE("cosine_with_restarts takes any step, however long its periods have become") {
  const auto schedule = lr_schedule::cosine_with_restarts(1, 1'000'000'000, 0.0);
  const double rate = schedule(0.1, std::numeric_limits<int64_t>::max());
  CHECK(rate >= 0);
  CHECK(rate <= 0.1);
}

TEST_CASE("sequential is SequentialLR") {
  // ConstantLR(0.1, 3), PolynomialLR(4, 2.0), ExponentialLR(0.5); milestones 3 and 6.
  check_against_pytorch(
      lr_schedule::sequential(
          {lr_schedule::constant(0.1, 3), lr_schedule::polynomial(4, 2.0), lr_schedule::exponential(0.5)}, {3, 6}),
      0.1,
      {0.010000000000000002, 0.010000000000000002, 0.010000000000000002, 0.1, 0.05625, 0.024999999999999998, 0.1, 0.05,
       0.025, 0.0125});
  // LinearLR(0.5, 1.0, 2), CosineAnnealingWarmRestarts(2, 2, 0.01); milestone 2.
  check_against_pytorch(
      lr_schedule::sequential({lr_schedule::linear(2, 0.5), lr_schedule::cosine_with_restarts(2, 2, 0.01)}, {2}), 0.1,
      {0.05, 0.07500000000000001, 0.1, 0.05500000000000001, 0.1, 0.08681980515339464, 0.05500000000000001,
       0.023180194846605363, 0.1});
}

TEST_CASE("chained is ChainedScheduler") {
  // ConstantLR(0.1, 3), ExponentialLR(0.9).
  check_against_pytorch(lr_schedule::chained({lr_schedule::constant(0.1, 3), lr_schedule::exponential(0.9)}), 0.1,
                        {0.010000000000000002, 0.009000000000000003, 0.008100000000000003, 0.07290000000000003,
                         0.06561000000000003, 0.059049000000000025});
  // LinearLR(0.25, 1.0, 3), StepLR(2, 0.5), CosineAnnealingLR(6).
  check_against_pytorch(
      lr_schedule::chained({lr_schedule::linear(3, 0.25), lr_schedule::step(2, 0.5), lr_schedule::cosine(6)}), 0.1,
      {0.025, 0.046650635094610975, 0.028125000000000004, 0.025, 0.006250000000000003, 0.0016746824526945162});
}

TEST_CASE("sequential and chained schedules are schedules to be combined") {
  const auto inner = lr_schedule::chained({lr_schedule::constant(0.5, 2), lr_schedule::exponential(0.5)});
  const auto outer = lr_schedule::sequential({LrSchedule(), inner}, {3});
  CHECK(outer(1.0, 2) == 1.0);
  CHECK(outer(1.0, 3) == 0.5);
  CHECK(outer(1.0, 4) == 0.25);
  CHECK(outer(1.0, 5) == 0.25);
  CHECK(outer.name() ==
        "sequential(schedules=[initial, chained(schedules=[constant(factor=0.5, total=2), exponential(gamma=0.5)])], "
        "milestones=[3])");
}

TEST_CASE("a schedule's name says how it was made") {
  CHECK(LrSchedule().name() == "initial");
  CHECK(lr_schedule::multi_step({30, 60}, 0.1).name() == "multi_step(milestones=[30, 60], gamma=0.1)");
  CHECK(lr_schedule::linear_warmup(10, 0.5, lr_schedule::cosine(100)).name() ==
        "linear_warmup(steps=10, start_factor=0.5, then=cosine(t_max=100, eta_min=0))");
}

TEST_CASE("arguments out of range are refused") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(lr_schedule::cosine(0), "learning-rate schedule cosine: t_max = 0: must be at least 1",
                       ConfigError);
  CHECK_THROWS_AS(lr_schedule::cosine(5, -0.1), ConfigError);
  CHECK_THROWS_AS(lr_schedule::constant(1.5, 3), ConfigError);
  CHECK_THROWS_AS(lr_schedule::constant(0.5, -1), ConfigError);
  CHECK_THROWS_AS(lr_schedule::step(0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::step(1, 0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::multi_step({}), ConfigError);
  CHECK_THROWS_AS(lr_schedule::multi_step({-1, 2}), ConfigError);
  CHECK_THROWS_WITH_AS(lr_schedule::multi_step({2, 1}),
                       "learning-rate schedule multi_step: milestone = 1: must be no less than the one before it",
                       ConfigError);
  CHECK_THROWS_AS(lr_schedule::exponential(kNan), ConfigError);
  CHECK_THROWS_AS(lr_schedule::linear_warmup(0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::linear_warmup(5, 0), ConfigError);
  CHECK_THROWS_AS(LrSchedule("mine", nullptr), ConfigError);
  CHECK_THROWS_AS(lr_schedule::cosine_with_restarts(0), ConfigError);
  CHECK_THROWS_WITH_AS(lr_schedule::cosine_with_restarts(2, 0),
                       "learning-rate schedule cosine_with_restarts: t_mult = 0: must be at least 1", ConfigError);
  CHECK_THROWS_AS(lr_schedule::cosine_with_restarts(2, 1, -1), ConfigError);
  CHECK_THROWS_AS(lr_schedule::linear(0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::linear(3, 0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::linear(3, 0.5, 1.1), ConfigError);
  CHECK_THROWS_AS(lr_schedule::polynomial(0), ConfigError);
  CHECK_THROWS_AS(lr_schedule::polynomial(3, kNan), ConfigError);
  CHECK_THROWS_WITH_AS(
      lr_schedule::sequential({LrSchedule(), LrSchedule()}, {}),
      "learning-rate schedule sequential: number of milestones = 0: must be one less than that of the schedules",
      ConfigError);
  CHECK_THROWS_AS(lr_schedule::sequential({LrSchedule(), LrSchedule()}, {0}), ConfigError);
  CHECK_THROWS_AS(lr_schedule::sequential({LrSchedule(), LrSchedule(), LrSchedule()}, {3, 3}), ConfigError);
  CHECK_THROWS_AS(lr_schedule::sequential({}, {}), ConfigError);
  CHECK_THROWS_AS(lr_schedule::chained({}), ConfigError);
}
