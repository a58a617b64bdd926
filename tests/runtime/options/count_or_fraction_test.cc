#include "troupe/runtime/options/count_or_fraction.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("text without a point is a count, text with one is a fraction") {
  CHECK(CountOrFraction::parse("10") == CountOrFraction(10));
  CHECK(CountOrFraction::parse("1") == CountOrFraction(1));
  CHECK(CountOrFraction::parse("1.0") == CountOrFraction(1.0));
  CHECK(CountOrFraction::parse("0.5") == CountOrFraction(0.5));
  CHECK(CountOrFraction::parse("1e-1") == CountOrFraction(0.1));
  CHECK(CountOrFraction(1) != CountOrFraction(1.0));
  for (const char* text : {"", "x", "1x", "0.5 ", "inf", "nan", "99999999999999999999"}) {
    CHECK_MESSAGE(!CountOrFraction::parse(text), text);
  }
}

TEST_CASE("an amount prints as it was written") {
  for (const char* text : {"0", "10", "0.0", "0.5", "1.0", "0.25"}) {
    CHECK(CountOrFraction::parse(text)->to_string() == text);
  }
}

TEST_CASE("a count is capped at the total, a fraction is rounded down") {
  CHECK(CountOrFraction(10).of(100) == 10);
  CHECK(CountOrFraction(10).of(3) == 3);
  CHECK(CountOrFraction(0).of(3) == 0);
  CHECK(CountOrFraction(1.0).of(7) == 7);
  CHECK(CountOrFraction(0.5).of(7) == 3);
  CHECK(CountOrFraction().of(7) == 7);
}

TEST_CASE("a negative count and a fraction beyond 1 are not valid") {
  CHECK(CountOrFraction(0).valid());
  CHECK(CountOrFraction(0.0).valid());
  CHECK_FALSE(CountOrFraction(-1).valid());
  CHECK_FALSE(CountOrFraction(1.5).valid());
  CHECK_FALSE(CountOrFraction(-0.5).valid());
}
