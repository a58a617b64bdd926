#include "troupe/runtime/schedule/plateau.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Expected {
  std::vector<double> rates;
  std::vector<double> best;
  std::vector<uint64_t> bad_checks;
  std::vector<uint64_t> cooldown_left;
};

/// Compares with what PyTorch 2.13 has after each value:
///   optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
///   scheduler = ReduceLROnPlateau(optimizer, ...)
///   for value in values: scheduler.step(value)
/// lr of the group, scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter.
void check_against_pytorch(PlateauOptions options, const std::vector<double>& values, const Expected& expected) {
  options.monitor = "val_loss";
  Plateau plateau(options);
  double lr = 0.1;
  for (size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    lr = plateau.check(values[i]) ? plateau.reduced(lr) : lr;
    CHECK(lr == expected.rates[i]);
    CHECK(plateau.state().best() == expected.best[i]);
    CHECK(plateau.state().bad_checks() == expected.bad_checks[i]);
    CHECK(plateau.state().cooldown_left() == expected.cooldown_left[i]);
    Plateau resumed(options);
    resumed.load_state(plateau.state());
    plateau = resumed;
  }
}

std::string plateau_refusal(const PlateauOptions& options) {
  try {
    Plateau{options};
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a plateau waits for its patience, and small improvements are none") {
  check_against_pytorch({.factor = 0.5, .patience = 2}, {1.0, 0.9, 0.95, 0.9, 0.89995, 0.8, 0.85, 0.85, 0.85, 0.85},
                        {{0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025},
                         {1.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8},
                         {0, 0, 1, 2, 0, 0, 1, 2, 0, 1},
                         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}});
}

TEST_CASE("a plateau takes larger values for better, with an absolute threshold") {
  check_against_pytorch(
      {.mode = Mode::kMax, .patience = 1, .threshold = 0.1, .threshold_mode = ThresholdMode::kAbs},
      {0.5, 0.6, 0.65, 0.69, 0.72, 0.7, 0.7, 0.7},
      {{0.1, 0.1, 0.1, 0.1, 0.010000000000000002, 0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002},
       {0.5, 0.5, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65},
       {0, 1, 0, 1, 0, 1, 0, 1},
       {0, 0, 0, 0, 0, 0, 0, 0}});
}

TEST_CASE("a relative threshold of a negative best value lets worse values pass, as PyTorch's does") {
  check_against_pytorch(
      {.mode = Mode::kMax, .patience = 0, .threshold = 0.1}, {-1.0, -1.05, -0.5, -0.5, -0.5, -0.2},
      {{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, {-1.0, -1.05, -0.5, -0.5, -0.5, -0.2}, {0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}});
}

TEST_CASE("a plateau counts nothing while it cools down") {
  check_against_pytorch({.cooldown = 2, .factor = 0.5, .patience = 0},
                        {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.6, 0.6},
                        {{0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.00625, 0.00625},
                         {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5},
                         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                         {0, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1}});
}

TEST_CASE("a rate does not fall below min_lr, and not by as little as eps") {
  check_against_pytorch({.min_lr = 0.0005, .patience = 0}, {1.0, 1.0, 1.0, 1.0, 1.0},
                        {{0.1, 0.010000000000000002, 0.0010000000000000002, 0.0005, 0.0005},
                         {1, 1, 1, 1, 1},
                         {0, 0, 0, 0, 0},
                         {0, 0, 0, 0, 0}});
  check_against_pytorch({.eps = 0.02, .factor = 0.5, .patience = 0}, {1.0, 1.0, 1.0, 1.0, 1.0},
                        {{0.1, 0.05, 0.025, 0.025, 0.025}, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}});
}

TEST_CASE("NaN is no improvement") {
  check_against_pytorch({.factor = 0.5, .patience = 1}, {kNan, kNan, 1.0, kNan, kNan, kNan, 0.5, kNan},
                        {{0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.025},
                         {kInfinity, kInfinity, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5},
                         {1, 0, 0, 1, 0, 1, 0, 1},
                         {0, 0, 0, 0, 0, 0, 0, 0}});
}

TEST_CASE("a plateau refuses options out of their range, and names what is allowed") {
  CHECK(plateau_refusal({}) ==
        "configure_optimizers: plateau: 'monitor' is required: a string that is not empty. Metric to watch.");
  CHECK(plateau_refusal({.factor = 1.0, .monitor = "loss"}) ==
        "configure_optimizers: plateau: 'factor': must be a number of at least 0 and less than 1, got 1.0");
  CHECK_FALSE(plateau_refusal({.factor = kNan, .monitor = "loss"}).empty());
  CHECK_FALSE(plateau_refusal({.monitor = "loss", .patience = -1}).empty());
  CHECK_FALSE(plateau_refusal({.monitor = "loss", .threshold = -1}).empty());
  CHECK_FALSE(plateau_refusal({.cooldown = -1, .monitor = "loss"}).empty());
  CHECK_FALSE(plateau_refusal({.min_lr = -1, .monitor = "loss"}).empty());
  CHECK_FALSE(plateau_refusal({.eps = -1, .monitor = "loss"}).empty());
  CHECK_FALSE(plateau_refusal({.frequency = 0, .monitor = "loss"}).empty());
  CHECK(plateau_refusal({.monitor = "loss"}).empty());
}
