#include "troupe/runtime/base/strict_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("sound JSON is parsed") {
  CHECK(parse_json(R"({"a": {"b": [1, 2.5, "x", null, true]}, "c": {"b": {}}})", "file").dump() ==
        R"({"a":{"b":[1,2.5,"x",null,true]},"c":{"b":{}}})");
}

TEST_CASE("a doubled key is refused with its line and column") {
  CHECK_THROWS_WITH_AS(parse_json("{\"a\": 1,\n \"b\": 2, \"a\": 3}", "c.json"),
                       "c.json: line 2, column 12: the key 'a' is there twice in one object", ConfigError);
  CHECK_THROWS_WITH_AS(parse_json(R"({"\u001b[2J": 1, "\u001b[2J": 2})", "c.json"), doctest::Contains("the key '?[2J'"),
                       ConfigError);
  CHECK_THROWS_AS(parse_json(R"([{"x": {"y": 1, "y": 1}}])", "c.json"), ConfigError);
  CHECK_THROWS_AS(parse_json(R"({"a": 1, "\u0061": 2})", "c.json"), ConfigError);
}

TEST_CASE("text that is not JSON is refused with its line and column") {
  CHECK_THROWS_WITH_AS(parse_json("{\n  \"a\": tru\n}", "c.json"),
                       doctest::Contains("c.json: line 2, column 10: syntax error while parsing value"), ConfigError);
  for (const char* text : {"", "{", "[1,]", "{} {}", "{'a': 1}", "{\"a\": NaN}", "1e999", "// no\n{}", "\"\xff\""}) {
    CHECK_THROWS_AS(parse_json(text, "c.json"), ConfigError);
  }
}

TEST_CASE("JSON that is nested too deep is refused, whatever it nests") {
  const auto nested = [](size_t depth, const std::string& open, const std::string& close) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) {
      text += open;
    }
    text += "1";
    for (size_t i = 0; i < depth; ++i) {
      text += close;
    }
    return text;
  };
  CHECK(parse_json(nested(kJsonDepthMax, "[", "]"), "c.json").is_array());
  CHECK(parse_json(nested(kJsonDepthMax, R"({"a":)", "}"), "c.json").is_object());
  CHECK(
      parse_json("[" + nested(kJsonDepthMax - 1, "[", "]") + "," + nested(kJsonDepthMax - 1, "[", "]") + "]", "c.json")
          .size() == 2);
  for (const size_t depth : {kJsonDepthMax + 1, size_t{1'000'000}}) {
    CHECK_THROWS_WITH_AS(parse_json(nested(depth, "[", "]"), "c.json"),
                         doctest::Contains("the value is nested deeper than 64 levels"), ConfigError);
    CHECK_THROWS_AS(parse_json(nested(depth, R"({"a":)", "}"), "c.json"), ConfigError);
  }
}
