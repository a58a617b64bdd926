// Options that map integers to values: {"0": 4, "5": 2}, or 0:4,5:2 on a command line.
#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "troupe/runtime/options/options.h"

using namespace troupe;

namespace {

using Factors = std::map<int64_t, int64_t>;

struct FactorOptions {
  Factors factors = {};
  std::optional<std::map<int64_t, double>> rates = std::nullopt;

  void describe(OptionVisitor& visit) {
    visit("factors", factors, "Factor from an epoch on.").required().at_least(1).keys_at_least(0);
    visit("rates", rates, "Rate at a step.");
  }
};

FactorOptions read_factors(const std::string& text) {
  FactorOptions options;
  read_options("Factors", options, parse_json(text, "test"));
  return options;
}

std::string error_of_factors(const std::string& text) {
  try {
    read_factors(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a map is read from an object whose keys are integers") {
  CHECK(read_factors(R"({"factors": {"10": 1, "0": 4, "5": 2}})").factors == Factors{{0, 4}, {5, 2}, {10, 1}});
  const auto options = read_factors(R"({"factors": {"0": 1}, "rates": {"-3": 0.5, "7": 2}})");
  CHECK(options.rates == std::map<int64_t, double>{{-3, 0.5}, {7, 2.0}});
  CHECK_FALSE(read_factors(R"({"factors": {"0": 1}, "rates": null})").rates);
}

TEST_CASE("a map that is printed as JSON reads back") {
  const FactorOptions options{.factors = {{0, 4}, {10, 1}, {5, 2}}, .rates = {{{1, 0.25}}}};
  const auto json = options_to_json(options);
  CHECK(json.dump() == R"({"factors":{"0":4,"10":1,"5":2},"rates":{"1":0.25}})");
  FactorOptions again;
  read_options("Factors", again, json);
  CHECK(again.factors == options.factors);
  CHECK(again.rates == options.rates);
}

TEST_CASE("keys and values of a map have limits of their own, and nothing is converted") {
  const std::string allowed =
      "Factors: 'factors': must be a map, each key an integer of at least 0, each value an integer of at least 1, got ";
  for (const char* map : {R"({"-1":2})", R"({"0":0})", R"({"0":1.5})", R"({"0":"1"})", R"({"0":true})", R"({"0":null})",
                          R"({"05":1})", R"({"+5":1})", R"({"-0":1})", R"({" 5":1})", R"({"5.0":1})", R"({"":1})",
                          R"({"a":1})", R"({"9223372036854775808":1})", R"([4,2])", "4", "null"}) {
    CHECK(error_of_factors(std::string(R"({"factors": )") + map + "}") == allowed + map);
  }
}

TEST_CASE("a key that an object has twice is refused") {
  CHECK(error_of_factors(R"({"factors": {"0": 4, "0": 2}})").find('0') != std::string::npos);
  CHECK(error_of_factors(R"({"factors": {"0": 4, "0": 2}})") != "accepted");
}

TEST_CASE("a required map is not empty") {
  const std::string required =
      "Factors: 'factors' is required: a map, each key an integer of at least 0, each value an integer of at least 1. "
      "Factor from an epoch on.";
  CHECK(error_of_factors("{}") == required);
  CHECK(error_of_factors(R"({"factors": {}})") == required);
  CHECK_THROWS_WITH_AS(check_options("Factors", FactorOptions{}), required.c_str(), ConfigError);
  CHECK_THROWS_AS(check_options("Factors", FactorOptions{.factors = {{-1, 1}}}), ConfigError);
}

TEST_CASE("a map is set from text, as entries or as a JSON object") {
  FactorOptions options;
  const auto set = [&](std::string_view name, std::string_view text) { set_option("--f", options, name, text); };
  set("factors", "0:4,10:1,5:2");
  CHECK(options.factors == Factors{{0, 4}, {5, 2}, {10, 1}});
  set("factors", R"({"3": 7})");
  CHECK(options.factors == Factors{{3, 7}});
  set("rates", "1:1e-3,-2:inf");
  CHECK(options.rates == std::map<int64_t, double>{{-2, std::numeric_limits<double>::infinity()}, {1, 1e-3}});
  set("rates", "none");
  CHECK_FALSE(options.rates);
  for (const char* text : {"0", "0:", ":4", "0:4,", ",0:4", "0:4,,5:2", "0:4,0:4", "0:4,00:4", "0: 4", "0:4:5", "0:0",
                           "-1:4", "0:a", "none", "{", R"({"0": 4, "0": 2})", "[0, 4]"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(set("factors", text), ConfigError);
  }
  CHECK(options.factors == Factors{{3, 7}});
}

TEST_CASE("help shows a map as it may be written") {
  const auto infos = option_infos(FactorOptions{.factors = {{10, 1}, {0, 4}}});
  CHECK(infos[0].type == "int:int,...");
  CHECK(infos[0].default_value == "0:4,10:1");
  CHECK(infos[0].required);
  CHECK(infos[1].type == "int:number,... or none");
  CHECK(infos[1].default_value == "none");
  CHECK(option_infos<FactorOptions>()[0].default_value == "{}");
}
