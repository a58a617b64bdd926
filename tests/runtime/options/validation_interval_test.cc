#include "troupe/runtime/options/validation_interval.h"

#include <doctest/doctest.h>

#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("an interval is a count, a fraction or a duration, and never two of them") {
  const ValidationInterval count = 10;
  CHECK((count.is_count() && !count.is_fraction() && !count.is_duration()));
  const ValidationInterval fraction = 0.5;
  CHECK((!fraction.is_count() && fraction.is_fraction() && !fraction.is_duration()));
  const ValidationInterval duration = "00:00:15:00";
  CHECK((!duration.is_count() && !duration.is_fraction() && duration.is_duration()));
  CHECK(duration.seconds() == 900);
  CHECK(ValidationInterval() == ValidationInterval(1.0));
  CHECK_THROWS_AS(ValidationInterval("15:00"), ConfigError);
}

TEST_CASE("an interval reads back from its text") {
  for (const char* text : {"10", "0.5", "1.0", "00:00:15:00"}) {
    REQUIRE(ValidationInterval::parse(text));
    CHECK(ValidationInterval::parse(text)->to_string() == text);
  }
  CHECK_FALSE(ValidationInterval::parse("soon"));
}
