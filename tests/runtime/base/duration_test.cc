#include "troupe/runtime/base/duration.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("a duration is days, hours, minutes and seconds") {
  CHECK(parse_duration_s("00:00:00:00") == 0);
  CHECK(parse_duration_s("1:01:01:01") == 90061);
  CHECK(parse_duration_s("100:00:00:00") == 8640000);
  CHECK(parse_duration_s("00:00:00:65") == 65);
  for (const char* text : {"", "5", "00:00:05", "0:0:0:5", ":00:00:05", "00:00:00:05 ", "00:00:00:-5", "1.5:00:00:00",
                           "1234567890:00:00:00"}) {
    CHECK_FALSE_MESSAGE(parse_duration_s(text), text);
  }
}

TEST_CASE("a duration reads back from its text") {
  for (const int64_t seconds : {0, 59, 3600, 90061, 8640000}) {
    CHECK(parse_duration_s(duration_text(seconds)) == seconds);
  }
  CHECK(duration_text(90061) == "01:01:01:01");
}
