#include "troupe/callbacks/tuning/lr_curve.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/contains.h"

using namespace troupe;

namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("a curve as CSV has a row for each step, also where the loss is not finite") {
  const LrCurve curve{.rates = {0.001, 0.01}, .losses = {2, kNotANumber}, .smoothed_losses = {2.5, kNotANumber}};
  CHECK(lr_curve_csv(curve) == "lr,loss,smoothed_loss\n0.001,2,2.5\n0.01,nan,nan\n");
}

TEST_CASE("a picture of a curve shows its finite points and the suggestion") {
  const LrCurve curve{.rates = {0.001, 0.01, 0.1},
                      .losses = {2, 1, kNotANumber},
                      .smoothed_losses = {2, 1.5, kNotANumber},
                      .suggestion = 1};
  CHECK(curve.suggested_rate() == 0.01);
  CHECK(contains(lr_curve_svg(curve, LrSpacing::kExponential), ">0.01<"));
  CHECK(lr_curve_svg(curve, LrSpacing::kExponential) != lr_curve_svg(curve, LrSpacing::kLinear));
}

TEST_CASE("a curve without a finite point is no picture") {
  const LrCurve curve{.rates = {0.001}, .losses = {kNotANumber}, .smoothed_losses = {kNotANumber}};
  CHECK(lr_curve_svg(curve, LrSpacing::kExponential).empty());
  CHECK_FALSE(curve.suggested_rate());
}
