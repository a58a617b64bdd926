#include "runtime/lr_schedule.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "runtime/error.h"

using namespace troupe;

namespace {

/// Compares steps 0, 1, ... with what PyTorch's own schedulers (1.13, stepped in a Python loop) left in the optimizer.
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
}
