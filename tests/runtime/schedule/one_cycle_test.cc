#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/schedule/lr_schedule.h"

using namespace troupe;

namespace {

struct Cycle {
  std::vector<double> rates;
  std::vector<double> momenta;
};

/// Compares steps 0, 1, ... with what PyTorch 2.13 left in the optimizer:
///   optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
///   scheduler = OneCycleLR(optimizer, max_lr=0.2, total_steps=n, ...)
///   for _ in range(n - 1): optimizer.step(); scheduler.step()
/// which reads group["lr"] and group["momentum"] (for Adam group["betas"][0]) before each step.
void check_against_pytorch(const LrSchedule& schedule, const Cycle& expected) {
  for (size_t i = 0; i < expected.rates.size(); ++i) {
    CAPTURE(i);
    const auto step = static_cast<int64_t>(i);
    CHECK(schedule(0.1, step) == doctest::Approx(expected.rates[i]).epsilon(1e-13));
    REQUIRE(schedule.momentum(step).has_value());
    CHECK(*schedule.momentum(step) == doctest::Approx(expected.momenta[i]).epsilon(1e-13));
  }
}

std::string one_cycle_refusal(const OneCycleOptions& options) {
  try {
    lr_schedule::one_cycle(options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("one_cycle is OneCycleLR, with its defaults") {
  check_against_pytorch(lr_schedule::one_cycle({.max_lr = 0.2, .total_steps = 10}),
                        {{0.008000000000000007, 0.10400000000000001, 0.2, 0.19009692640269477, 0.1623491307899526,
                          0.12225240438725786, 0.07774839561274215, 0.0376516692100474, 0.009903873597305258, 8e-07},
                         {0.95, 0.8999999999999999, 0.85, 0.854951556604879, 0.8688255099070633, 0.8888739533021842,
                          0.9111260466978157, 0.9311744900929366, 0.945048443395121, 0.95}});
}

TEST_CASE("one_cycle anneals linearly, with other factors and momenta") {
  // OneCycleLR(Adam, 0.2, 10, pct_start=0.4, anneal_strategy="linear", div_factor=10, final_div_factor=100,
  //            base_momentum=0.8, max_momentum=0.9)
  check_against_pytorch(lr_schedule::one_cycle({.anneal_strategy = AnnealStrategy::kLinear,
                                                .base_momentum = 0.8,
                                                .div_factor = 10,
                                                .final_div_factor = 100,
                                                .max_lr = 0.2,
                                                .max_momentum = 0.9,
                                                .pct_start = 0.4,
                                                .total_steps = 10}),
                        {{0.02, 0.08, 0.14, 0.2, 0.16670000000000001, 0.13340000000000002, 0.10010000000000001,
                          0.06680000000000003, 0.0335, 0.00020000000000000573},
                         {0.9, 0.8666666666666667, 0.8333333333333334, 0.8, 0.8166666666666667, 0.8333333333333334,
                          0.8500000000000001, 0.8666666666666667, 0.8833333333333333, 0.9}});
}

TEST_CASE("one_cycle has a third phase if it is asked to") {
  check_against_pytorch(
      lr_schedule::one_cycle({.max_lr = 0.2, .pct_start = 0.25, .three_phase = true, .total_steps = 12}),
      {{0.008000000000000007, 0.10400000000000001, 0.2, 0.10400000000000001, 0.008, 0.007603915084062515,
        0.0064941098115141906, 0.004890394727451675, 0.003110405272548325, 0.0015066901884858096,
        0.00039688491593748484, 8e-07},
       {0.95, 0.8999999999999999, 0.85, 0.8999999999999999, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95}});
}

TEST_CASE("one_cycle without a rise starts just past the peak") {
  check_against_pytorch(lr_schedule::one_cycle({.max_lr = 0.2, .pct_start = 0, .total_steps = 5}),
                        {{0.180901775830697, 0.130901975830697, 0.06909882416930302, 0.019099024169303015, 8e-07},
                         {0.8595491502812526, 0.8845491502812526, 0.9154508497187474, 0.9404508497187474, 0.95}});
}

TEST_CASE("one_cycle stays at its end, and a rise of one step is at the peak") {
  const auto schedule = lr_schedule::one_cycle({.pct_start = 0.1, .total_steps = 10});
  CHECK(schedule(0.2, 0) == 0.2);
  CHECK(schedule.momentum(0) == 0.85);
  CHECK(schedule(0.2, 9) == doctest::Approx(8e-7));
  CHECK(schedule(0.2, 10) == schedule(0.2, 9));
  CHECK(schedule(0.2, 1'000'000) == schedule(0.2, 9));
  CHECK(schedule.momentum(1'000'000) == schedule.momentum(9));
  CHECK(lr_schedule::one_cycle({.pct_start = 1.0, .total_steps = 10})(0.2, 10) == 0.2);
}

TEST_CASE("one_cycle without max_lr peaks at each group's own rate") {
  const auto own = lr_schedule::one_cycle({.total_steps = 10});
  const auto given = lr_schedule::one_cycle({.max_lr = 0.2, .total_steps = 10});
  for (int64_t step = 0; step < 12; ++step) {
    CHECK(own(0.2, step) == given(123.0, step));
  }
}

TEST_CASE("a momentum that cycles survives a combination, and other schedules leave it alone") {
  const auto cycle = lr_schedule::one_cycle({.total_steps = 10});
  const auto after_warm_up = lr_schedule::linear_warmup(4, 0.5, cycle);
  CHECK(after_warm_up.cycles_momentum());
  CHECK_FALSE(after_warm_up.momentum(3).has_value());
  CHECK(after_warm_up.momentum(5) == cycle.momentum(1));
  const auto before = lr_schedule::sequential({cycle, lr_schedule::exponential(0.9)}, {10});
  CHECK(before.momentum(9) == cycle.momentum(9));
  CHECK_FALSE(before.momentum(10).has_value());
  const auto chained = lr_schedule::chained({cycle, lr_schedule::exponential(0.9)});
  CHECK(chained.momentum(3) == cycle.momentum(3));
  CHECK_FALSE(lr_schedule::linear_warmup(4).cycles_momentum());
  CHECK_FALSE(lr_schedule::one_cycle({.cycle_momentum = false, .total_steps = 10}).cycles_momentum());
}

TEST_CASE("one_cycle refuses options out of their range") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CHECK(one_cycle_refusal({}) == "learning-rate schedule one_cycle: total_steps = 0: must be at least 1");
  CHECK(one_cycle_refusal({.pct_start = 1.5, .total_steps = 5}) ==
        "learning-rate schedule one_cycle: pct_start = 1.5: must be in [0, 1]");
  CHECK(one_cycle_refusal({.pct_start = 0.6, .three_phase = true, .total_steps = 5}) ==
        "learning-rate schedule one_cycle: pct_start = 0.6: must be in (0, 0.5] with three_phase");
  CHECK(one_cycle_refusal({.max_lr = kNan, .total_steps = 5}) ==
        "learning-rate schedule one_cycle: max_lr = nan: must be above 0");
  CHECK(one_cycle_refusal({.base_momentum = 0.9, .max_momentum = 0.8, .total_steps = 5}) ==
        "learning-rate schedule one_cycle: base_momentum = 0.9: must be in [0, max_momentum]");
  CHECK(one_cycle_refusal({.max_momentum = 1.0, .total_steps = 5}) ==
        "learning-rate schedule one_cycle: max_momentum = 1: must be in [0, 1)");
  CHECK_FALSE(one_cycle_refusal({.div_factor = 0, .total_steps = 5}).empty());
  CHECK_FALSE(one_cycle_refusal({.final_div_factor = -1, .total_steps = 5}).empty());
  CHECK(lr_schedule::one_cycle({.max_lr = 0.2, .three_phase = true, .total_steps = 5}).name() ==
        "one_cycle(total_steps=5, max_lr=0.2, pct_start=0.3, three_phase)");
}
