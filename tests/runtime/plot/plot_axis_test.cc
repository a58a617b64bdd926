#include "troupe/runtime/plot/plot_axis.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

std::vector<std::string> labels(AxisScale scale, const std::vector<double>& values) {
  std::vector<std::string> result;
  for (const auto& tick : PlotAxis(scale, values, "x").ticks()) {
    if (!tick.label.empty()) {
      result.push_back(tick.label);
    }
  }
  return result;
}

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("a linear axis has round ticks that enclose the values") {
  CHECK(labels(AxisScale::kLinear, {0.03, 0.52}) == Labels{"0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"});
  CHECK(labels(AxisScale::kLinear, {0, 100}) == Labels{"0", "20", "40", "60", "80", "100"});
  CHECK(labels(AxisScale::kLinear, {-1, 1}) == Labels{"-1.0", "-0.5", "0.0", "0.5", "1.0"});
  CHECK(labels(AxisScale::kLinear, {1e9, 4e9}) ==
        Labels{"1e+09", "1.5e+09", "2e+09", "2.5e+09", "3e+09", "3.5e+09", "4e+09"});
  CHECK(labels(AxisScale::kLinear, {1e-8, 3e-8}).front() == "1e-08");
}

TEST_CASE("labels of a linear axis are the decimal numbers that they stand for") {
  for (const auto& tick : PlotAxis(AxisScale::kLinear, std::vector{0.0, 0.7}, "x").ticks()) {
    CHECK(std::stod(tick.label) == tick.value);  // 3 * 0.1 would be 0.30000000000000004.
  }
}

TEST_CASE("values that are all equal still have an axis around them") {
  for (const double value : {0.0, 5.0, -3e-7, 1e300, 1e-320}) {
    CAPTURE(value);
    const PlotAxis axis(AxisScale::kLinear, std::vector{value, value}, "x");
    CHECK(axis.fraction(value) > 0);
    CHECK(axis.fraction(value) < 1);
    CHECK(axis.ticks().size() >= 3);
  }
  const double third = 1.0 / 3;
  CHECK(PlotAxis(AxisScale::kLinear, std::vector{third, std::nextafter(third, 1)}, "x").ticks().size() < 20);
}

TEST_CASE("a logarithmic axis has its decades labelled and lines between them") {
  CHECK(labels(AxisScale::kLog10, {0.02, 400}) == Labels{"0.01", "0.1", "1", "10", "100", "1000"});
  CHECK(labels(AxisScale::kLog10, {1e-4, 0.3}) == Labels{"1e-4", "1e-3", "1e-2", "1e-1", "1e0"});
  CHECK(labels(AxisScale::kLog10, {3, 3}) == Labels{"1", "10"});
  CHECK(labels(AxisScale::kLog10, {10, 10}) == Labels{"10", "100"});
  CHECK(PlotAxis(AxisScale::kLog10, std::vector{2.0, 50.0}, "x").ticks().size() == 19);
}

TEST_CASE("a logarithmic axis over many decades labels some of them, at equal distances") {
  const auto got = labels(AxisScale::kLog10, {1e-30, 1e30});
  CHECK(got.size() >= 5);
  CHECK(got.size() <= 11);
  CHECK(std::stod(got[1]) / std::stod(got[0]) == doctest::Approx(std::stod(got[2]) / std::stod(got[1])));
}

TEST_CASE("a value's place is linear in it, or in its logarithm") {
  const PlotAxis linear(AxisScale::kLinear, std::vector{0.0, 100.0}, "x");
  CHECK(linear.fraction(0) == 0);
  CHECK(linear.fraction(25) == doctest::Approx(0.25));
  CHECK(linear.fraction(100) == 1);
  const PlotAxis log(AxisScale::kLog10, std::vector{0.01, 100.0}, "x");
  CHECK(log.fraction(0.01) == doctest::Approx(0));
  CHECK(log.fraction(0.1) == doctest::Approx(0.25));
  CHECK(log.fraction(100) == doctest::Approx(1));
}

TEST_CASE("values that cannot be shown are refused with the axis and the value") {
  const auto refuses = [](AxisScale scale, const std::vector<double>& values, const char* what) {
    CHECK_THROWS_WITH_AS(PlotAxis(scale, values, "the x axis"), doctest::Contains(what), ConfigError);
  };
  refuses(AxisScale::kLinear, {}, "the x axis has no values");
  refuses(AxisScale::kLinear, {1, std::numeric_limits<double>::quiet_NaN()}, "the x axis has the value nan");
  refuses(AxisScale::kLog10, {std::numeric_limits<double>::infinity()}, "has the value inf");
  refuses(AxisScale::kLinear, {-1e301}, "has the value -1e+301");
  refuses(AxisScale::kLog10, {1, 0}, "on a logarithmic axis values must be above 0");
  refuses(AxisScale::kLog10, {-2}, "has the value -2");
}
