#include "troupe/runtime/options/options.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

enum class Choice { kMin, kMax };

struct StoppingOptions {
  std::string monitor;
  int patience = 3;
  Choice mode = Choice::kMin;
  double min_delta = 0.0;
  std::optional<double> stopping_threshold = {};
  bool strict = true;
  int64_t steps = 0;
  uint64_t seed = 0;
  std::vector<int> milestones = {};
  std::optional<std::vector<std::string>> tags = {};
  CountOrFraction limit = 1.0;
  std::string interval = "step";

  void describe(OptionVisitor& visit) {
    visit("monitor", monitor, "Metric to watch.").required();
    visit("patience", patience, "Checks without improvement before the vote.").at_least(0);
    visit("mode", mode, "Whether smaller or larger is better.");
    visit("min_delta", min_delta, "An improvement exceeds this.").at_least(0).less_than(1);
    visit("stopping_threshold", stopping_threshold, "Stop beyond this.").greater_than(0);
    visit("strict", strict, "Fail when the metric is missing.");
    visit("steps", steps, "Steps.");
    visit("seed", seed, "Seed.");
    visit("milestones", milestones, "Epochs.").at_least(1);
    visit("tags", tags, "Tags.");
    visit("limit", limit, "Limit.");
    visit("interval", interval, "When.").one_of({"step", "epoch"});
  }

  void validate() const {
    if (patience == 7 && mode == Choice::kMax) {
      throw ConfigError("patience 7 and mode max do not go together");
    }
  }
};

StoppingOptions read_stopping(const std::string& text) {
  StoppingOptions options{.monitor = "val_loss"};
  read_options("EarlyStopping", options, parse_json(text, "test"));
  return options;
}

std::string error_of(const std::string& text) {
  try {
    read_stopping(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

template <>
struct troupe::EnumNames<Choice> {
  static constexpr std::array<std::pair<Choice, std::string_view>, 2> kNames{
      {{Choice::kMin, "min"}, {Choice::kMax, "max"}}};
};

TEST_CASE("options are read from JSON, the others keep their defaults") {
  const auto options =
      read_stopping(R"({"monitor": "acc", "patience": 5, "mode": "max", "min_delta": 0, "stopping_threshold": 0.9,
      "strict": false, "steps": -9223372036854775808, "seed": 18446744073709551615, "milestones": [1, 2], "tags": ["a"],
      "limit": 10})");
  CHECK(options.monitor == "acc");
  CHECK(options.patience == 5);
  CHECK(options.mode == Choice::kMax);
  CHECK(options.min_delta == 0.0);
  CHECK(options.stopping_threshold == 0.9);
  CHECK_FALSE(options.strict);
  CHECK(options.steps == std::numeric_limits<int64_t>::min());
  CHECK(options.seed == std::numeric_limits<uint64_t>::max());
  CHECK(options.milestones == std::vector{1, 2});
  CHECK(options.tags == std::vector<std::string>{"a"});
  CHECK(options.limit == CountOrFraction(10));
  CHECK(options.interval == "step");
}

TEST_CASE("what is printed as JSON reads back") {
  auto options = read_stopping(R"({"limit": 1.0, "milestones": [3], "mode": "max", "seed": 18446744073709551615})");
  options.stopping_threshold = std::numeric_limits<double>::infinity();
  const auto json = options_to_json(options);
  CHECK(json.size() == 12);
  CHECK(json["limit"].dump() == "1.0");
  CHECK(json["tags"].is_null());
  StoppingOptions again;
  read_options("EarlyStopping", again, parse_json(json.dump(), "again"));
  CHECK(options_to_json(again) == json);
  CHECK(again.stopping_threshold == std::numeric_limits<double>::infinity());
}

TEST_CASE("an unknown option is named with the nearest one and all that are allowed") {
  CHECK(error_of(R"({"patiense": 3})") ==
        "EarlyStopping: unknown option 'patiense' (did you mean 'patience'?); allowed: monitor, patience, mode, "
        "min_delta, "
        "stopping_threshold, strict, steps, seed, milestones, tags, limit, interval");
  CHECK(error_of(R"({"zzzzzzzz": 3})").find("did you mean") == std::string::npos);
}

TEST_CASE("a value of the wrong type is never converted") {
  CHECK(error_of(R"({"patience": 3.7})") == "EarlyStopping: 'patience': must be an integer of at least 0, got 3.7");
  CHECK(error_of(R"({"patience": true})") == "EarlyStopping: 'patience': must be an integer of at least 0, got true");
  CHECK(error_of(R"({"patience": 3.0})") == "EarlyStopping: 'patience': must be an integer of at least 0, got 3.0");
  CHECK(error_of(R"({"patience": "3"})") == "EarlyStopping: 'patience': must be an integer of at least 0, got \"3\"");
  CHECK(error_of(R"({"patience": null})") == "EarlyStopping: 'patience': must be an integer of at least 0, got null");
  CHECK(error_of(R"({"patience": [3]})") == "EarlyStopping: 'patience': must be an integer of at least 0, got [3]");
  CHECK(error_of(R"({"strict": 1})") == "EarlyStopping: 'strict': must be true or false, got 1");
  CHECK(error_of(R"({"monitor": 1})") == "EarlyStopping: 'monitor': must be a string that is not empty, got 1");
  CHECK(error_of(R"({"min_delta": "0.1"})") ==
        "EarlyStopping: 'min_delta': must be a number of at least 0 and less than 1, got \"0.1\"");
  CHECK(error_of(R"({"milestones": 3})") ==
        "EarlyStopping: 'milestones': must be a list, each element an integer of at least 1, got 3");
  CHECK(error_of(R"({"milestones": [1, "2"]})").find("got [1,\"2\"]") != std::string::npos);
  CHECK(error_of(R"({"tags": [null]})") ==
        "EarlyStopping: 'tags': must be a list, each element a string, or none, got [null]");
  CHECK(error_of("[]") == "EarlyStopping: options must be a JSON object, got []");
}

TEST_CASE("a number that its type cannot hold is refused") {
  CHECK(error_of(R"({"patience": 3000000000})") ==
        "EarlyStopping: 'patience': must be an integer of at least 0, got 3000000000 (it can hold at most 2147483647)");
  CHECK(error_of(R"({"seed": -1})") == "EarlyStopping: 'seed': must be an integer of at least 0, got -1");
  CHECK(error_of(R"({"steps": 9223372036854775808})")
            .starts_with("EarlyStopping: 'steps': must be an integer, got 9223372036854775808"));
  CHECK(error_of(R"({"steps": 100000000000000000000})")
            .starts_with("EarlyStopping: 'steps': must be an integer, got 1e+20"));
}

TEST_CASE("an impossible value is refused with what is allowed") {
  CHECK(error_of(R"({"patience": -1})") == "EarlyStopping: 'patience': must be an integer of at least 0, got -1");
  CHECK(error_of(R"({"min_delta": 1})") ==
        "EarlyStopping: 'min_delta': must be a number of at least 0 and less than 1, got 1");
  CHECK(error_of(R"({"stopping_threshold": 0})") ==
        "EarlyStopping: 'stopping_threshold': must be a number greater than 0, or none, got 0");
  CHECK(error_of(R"({"mode": "best"})") == "EarlyStopping: 'mode': must be one of \"min\", \"max\", got \"best\"");
  CHECK(error_of(R"({"interval": "batch"})") ==
        "EarlyStopping: 'interval': must be one of \"step\", \"epoch\", got \"batch\"");
  CHECK(error_of(R"({"limit": 1.5})") ==
        "EarlyStopping: 'limit': must be a count (an integer of at least 0) or a fraction (a real number from 0.0 to "
        "1.0), got 1.5");
  CHECK(error_of(R"({"limit": -1})").ends_with("got -1"));
  CHECK(error_of(R"({"monitor": ""})") == "EarlyStopping: 'monitor': must be a string that is not empty, got \"\"");
}

TEST_CASE("a required option that nobody sets is named with its meaning") {
  StoppingOptions options;
  CHECK_THROWS_WITH_AS(read_options("EarlyStopping", options, nlohmann::json::object()),
                       "EarlyStopping: 'monitor' is required: a string that is not empty. Metric to watch.",
                       ConfigError);
}

TEST_CASE("options that make no sense together are refused under their owner's name") {
  CHECK(error_of(R"({"patience": 7, "mode": "max"})") == "EarlyStopping: patience 7 and mode max do not go together");
}

TEST_CASE("options that are refused leave the struct as it was") {
  StoppingOptions options{.monitor = "val_loss"};
  CHECK_THROWS_AS(read_options("EarlyStopping", options, parse_json(R"({"mode": "max", "patience": -1})", "test")),
                  ConfigError);
  CHECK(options.mode == Choice::kMin);
}

TEST_CASE("what C++ code sets is checked like what a file sets") {
  CHECK_NOTHROW(check_options("EarlyStopping", StoppingOptions{.monitor = "val_loss"}));
  CHECK_THROWS_WITH_AS(check_options("EarlyStopping", StoppingOptions{.monitor = "val_loss", .patience = -1}),
                       "EarlyStopping: 'patience': must be an integer of at least 0, got -1", ConfigError);
  CHECK_THROWS_AS(check_options("EarlyStopping", StoppingOptions{}), ConfigError);
  CHECK_THROWS_AS(check_options("EarlyStopping", StoppingOptions{.monitor = "a", .mode = static_cast<Choice>(9)}),
                  ConfigError);
  CHECK_THROWS_AS(check_options("EarlyStopping",
                                StoppingOptions{.monitor = "a", .min_delta = std::numeric_limits<double>::quiet_NaN()}),
                  ConfigError);
}

TEST_CASE("one option is set from text, as strictly as from JSON") {
  StoppingOptions options{.monitor = "val_loss"};
  const auto set = [&options](std::string_view name, std::string_view text) {
    set_option("--trainer", options, name, text);
  };
  set("patience", "5");
  set("mode", "max");
  set("min_delta", "1e-3");
  set("stopping_threshold", "inf");
  set("strict", "false");
  set("seed", "18446744073709551615");
  set("milestones", "1,2");
  set("tags", R"(["a,b"])");
  set("limit", "1");
  CHECK(options.patience == 5);
  CHECK(options.mode == Choice::kMax);
  CHECK(options.min_delta == 1e-3);
  CHECK(options.stopping_threshold == std::numeric_limits<double>::infinity());
  CHECK_FALSE(options.strict);
  CHECK(options.seed == std::numeric_limits<uint64_t>::max());
  CHECK(options.milestones == std::vector{1, 2});
  CHECK(options.tags == std::vector<std::string>{"a,b"});
  CHECK(options.limit == CountOrFraction(1));
  set("stopping_threshold", "none");
  set("milestones", "");
  CHECK_FALSE(options.stopping_threshold);
  CHECK(options.milestones.empty());
  CHECK_THROWS_WITH_AS(set("patience", "3.7"), "--trainer: 'patience': must be an integer of at least 0, got '3.7'",
                       ConfigError);
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{{"patience", ""},
                                                                                   {"patience", " 3"},
                                                                                   {"patience", "none"},
                                                                                   {"patience", "3000000000"},
                                                                                   {"strict", "1"},
                                                                                   {"min_delta", "nan"},
                                                                                   {"milestones", "1,,2"},
                                                                                   {"milestones", "[1"},
                                                                                   {"mode", "MIN"},
                                                                                   {"monitor", ""},
                                                                                   {"unknown", "1"}}) {
    CHECK_THROWS_AS(set(name, text), ConfigError);
  }
}

TEST_CASE("help knows type, default and what is allowed") {
  const auto infos = option_infos<StoppingOptions>();
  REQUIRE(infos.size() == 12);
  CHECK(infos[0].required);
  CHECK(infos[1].type == "int");
  CHECK(infos[1].default_value == "3");
  CHECK(infos[1].help == "Checks without improvement before the vote.");
  CHECK(infos[1].allowed == "an integer of at least 0");
  CHECK(infos[2].type == "min|max");
  CHECK(infos[4].type == "number or none");
  CHECK(infos[4].default_value == "none");
  CHECK(infos[8].type == "int,...");
  CHECK(infos[10].default_value == "1.0");
  CHECK(infos[11].type == "step|epoch");
}
