#include "troupe/runtime/schedule/lr_sweep.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

constexpr double kBroken = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<double> rates_of(const LrSweepOptions& options) {
  std::vector<double> rates;
  for (int64_t step = 0; step < options.steps; ++step) {
    rates.push_back(lr_sweep_rate(options, step));
  }
  return rates;
}

void check_close(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-12));
  }
}

}  // namespace

TEST_CASE("an exponential sweep goes from the first rate to the last by equal factors") {
  const auto rates = rates_of({.max_lr = 10, .min_lr = 1e-4, .steps = 6});
  check_close(rates, {1e-4, 1e-3, 1e-2, 1e-1, 1, 10});
  CHECK(rates.front() == 1e-4);
  CHECK(rates.back() == 10);
}

TEST_CASE("a linear sweep goes from the first rate to the last by equal amounts") {
  check_close(rates_of({.max_lr = 0.5, .min_lr = 0.1, .spacing = LrSpacing::kLinear, .steps = 5}),
              {0.1, 0.2, 0.3, 0.4, 0.5});
}

TEST_CASE("the last rate of a sweep is exactly its largest, whatever the rounding") {
  for (int64_t steps = 2; steps < 200; ++steps) {
    CHECK(rates_of({.max_lr = 0.7, .min_lr = 3e-7, .steps = steps}).back() == 0.7);
  }
}

TEST_CASE("a constant loss is its own mean from the first step on") {
  for (const double loss : smooth_losses(std::vector<double>(300, 2.5), 0.98)) {
    CHECK(loss == doctest::Approx(2.5).epsilon(1e-12));
  }
}

TEST_CASE("losses are smoothed with the weights of an exponential mean") {
  // By hand: weights 1; 1/3, 2/3; 1/7, 2/7, 4/7.
  check_close(smooth_losses(std::vector{7.0, 4.0, 14.0}, 0.5), {7.0, 5.0, 71.0 / 7});
  check_close(smooth_losses(std::vector{7.0, 4.0, 14.0}, 0.0), {7.0, 4.0, 14.0});
  CHECK(smooth_losses({}, 0.9).empty());
}

TEST_CASE("what follows a loss that is not finite is not finite") {
  const auto smoothed = smooth_losses(std::vector{1.0, kBroken, 1.0}, 0.9);
  CHECK(std::isfinite(smoothed[0]));
  CHECK_FALSE(std::isfinite(smoothed[1]));
  CHECK_FALSE(std::isfinite(smoothed[2]));
}

TEST_CASE("a sweep diverges when the loss is more than so many times the smallest before") {
  CHECK_FALSE(lr_sweep_diverged({}, 4));
  CHECK_FALSE(lr_sweep_diverged(std::vector{100.0}, 4));
  CHECK_FALSE(lr_sweep_diverged(std::vector{2.0, 1.0, 3.0, 4.0}, 4));
  CHECK(lr_sweep_diverged(std::vector{2.0, 1.0, 3.0, 4.001}, 4));
  CHECK_FALSE(lr_sweep_diverged(std::vector{2.0, 1.0, 4.001, 3.0}, 4));  // It is the last one that counts.
  CHECK_FALSE(lr_sweep_diverged(std::vector{1.0, 1e30}, kInf));
}

TEST_CASE("a loss below 0 diverges by its size, and one that is not finite always") {
  CHECK_FALSE(lr_sweep_diverged(std::vector{-1.0, -2.0, 4.0}, 4));
  CHECK(lr_sweep_diverged(std::vector{-1.0, -2.0, 4.1}, 4));
  CHECK_FALSE(lr_sweep_diverged(std::vector{-1.0, -2.0, -1.5}, 4));
  CHECK(lr_sweep_diverged(std::vector{1.0, kBroken}, kInf));
  CHECK(lr_sweep_diverged(std::vector{kInf}, 4));
}

TEST_CASE("the suggestion is where the loss falls fastest over the axis of the sweep") {
  // Over the logarithm the loss falls most from the fourth to the sixth point (by 2 a point around the fifth); over the
  // rate itself it falls fastest at the first point, where rates lie close together.
  const LrSweepOptions options{.max_lr = 1, .min_lr = 1e-6, .skip_begin = 0, .skip_end = 0, .steps = 7};
  const std::vector<double> losses = {5.0, 4.9, 4.8, 4.5, 3.0, 0.5, 0.4};
  CHECK(suggest_learning_rate(options, rates_of(options), losses) == 4);
  LrSweepOptions linear = options;
  linear.spacing = LrSpacing::kLinear;
  CHECK(suggest_learning_rate(linear, rates_of(options), losses) == 0);
  CHECK(suggest_learning_rate(linear, rates_of(linear), losses) == 4);
}

TEST_CASE("the slope over unevenly spaced rates is that of numpy.gradient") {
  // numpy.gradient gives -3, -3.5, -2, -2.5, -4, -4; the differences of neighbours alone would be steepest, -4.5, at 1.
  const LrSweepOptions options{.skip_begin = 0, .skip_end = 0, .spacing = LrSpacing::kLinear};
  CHECK(suggest_learning_rate(options, std::vector{0.0, 1.0, 4.0, 5.0, 6.0, 7.0},
                              std::vector{20.0, 17.0, 2.0, 1.0, -3.0, -7.0}) == 4);
}

TEST_CASE("points at both ends and points that are not finite are not suggested") {
  LrSweepOptions options{.max_lr = 1, .min_lr = 1e-3, .skip_begin = 2, .skip_end = 1, .steps = 7};
  const auto rates = rates_of(options);
  const std::vector<double> losses = {90, 50, 10, 9.5, 8, 7.9, 1};
  CHECK(suggest_learning_rate(options, rates, losses) == 3);  // From 10 by way of 9.5 to 8.
  const std::vector<double> broken = {90, 50, 10, 9.5, kBroken, 7.9, kInf};
  CHECK(suggest_learning_rate(options, rates, broken) == 5);
}

TEST_CASE("there is no suggestion where nothing falls or too few points are left") {
  LrSweepOptions options{.max_lr = 1, .min_lr = 1e-3, .skip_begin = 0, .skip_end = 0, .steps = 4};
  const auto rates = rates_of(options);
  CHECK_FALSE(suggest_learning_rate(options, rates, std::vector{1.0, 1.0, 2.0, 3.0}));
  CHECK_FALSE(suggest_learning_rate(options, rates, std::vector{3.0, kBroken, kBroken, kBroken}));
  CHECK_FALSE(suggest_learning_rate(options, {}, {}));
  options.skip_begin = 10;
  CHECK_FALSE(suggest_learning_rate(options, rates, std::vector{4.0, 3.0, 2.0, 1.0}));
}

TEST_CASE("a sweep that makes no sense is refused") {
  const auto refuses = [](const LrSweepOptions& options, const char* what) {
    CHECK_THROWS_WITH_AS(options.validate(), doctest::Contains(what), ConfigError);
  };
  CHECK_NOTHROW(LrSweepOptions{}.validate());
  CHECK_NOTHROW(LrSweepOptions{.early_stop_threshold = kInf}.validate());
  refuses({.min_lr = 0}, "0 < min_lr < max_lr");
  refuses({.max_lr = 1, .min_lr = 1}, "got 1 and 1");
  refuses({.max_lr = kInf}, "finite");
  refuses({.min_lr = kBroken}, "min_lr");
  refuses({.steps = 1}, "steps must be at least 2, got 1");
  refuses({.smoothing = 1}, "smoothing must be in [0, 1), got 1");
  refuses({.early_stop_threshold = 0.5}, "early_stop_threshold must be at least 1, got 0.5");
  refuses({.skip_begin = -1}, "skip_begin");
  refuses({.skip_end = -1}, "skip_end");
  CHECK_THROWS_WITH_AS(suggest_learning_rate({}, std::vector{1.0}, {}), "learning-rate sweep: 1 rates, but 0 losses",
                       ConfigError);
}
