#include "troupe/runtime/base/number_text.h"

#include <doctest/doctest.h>

#include <limits>

using namespace troupe;

TEST_CASE("the shortest text of a number reads back as the same number") {
  CHECK(shortest_text(0.1) == "0.1");
  CHECK(shortest_text(1e-8) == "1e-08");
  CHECK(shortest_text(100) == "100");
  CHECK(shortest_text(-0.0) == "-0");
  CHECK(std::stod(shortest_text(1.0 / 3)) == 1.0 / 3);
  CHECK(shortest_text(std::numeric_limits<double>::denorm_min()) == "5e-324");
  CHECK(shortest_text(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(shortest_text(-std::numeric_limits<double>::quiet_NaN()) == "nan");
}

TEST_CASE("a fixed number of digits after the point is rounded") {
  CHECK(fixed_text(2.0 / 3, 2) == "0.67");
  CHECK(fixed_text(1234567, 0) == "1234567");
  CHECK(fixed_text(-0.5, 1) == "-0.5");
  CHECK(fixed_text(-std::numeric_limits<double>::max(), 20).size() == 1 + 309 + 1 + 20);
}
