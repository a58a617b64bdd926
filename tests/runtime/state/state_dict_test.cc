#include "troupe/runtime/state/state_dict.h"

#include <doctest/doctest.h>

#include <limits>

#include "troupe/runtime/base/error.h"

using namespace troupe;

TEST_CASE("a state dict gives back every kind of value") {
  StateDict inner;
  inner.set("x", 1);
  StateDict state;
  state.set("flag", true);
  state.set("count", uint32_t{7});
  state.set("score", 0.5);
  state.set("name", "val_loss");
  state.set("map", std::map<std::string, double>{{"a", 1.0}, {"b", 2.0}});
  state.set("names", std::vector<std::string>{"p", "q"});
  state.set("numbers", std::vector<double>{1.5, 2.5});
  state.set("inner", inner);
  state.set_none("nothing");
  const StateDict copy(state.proto());
  CHECK(copy.get_bool("flag"));
  CHECK(copy.get_int("count") == 7);
  CHECK(copy.get_double("score") == 0.5);
  CHECK(copy.get_string("name") == "val_loss");
  CHECK((copy.get_double_map("map") == std::map<std::string, double>{{"a", 1.0}, {"b", 2.0}}));
  CHECK((copy.get_strings("names") == std::vector<std::string>{"p", "q"}));
  CHECK((copy.get_doubles("numbers") == std::vector<double>{1.5, 2.5}));
  CHECK(copy.get_dict("inner").get_int("x") == 1);
  CHECK(copy.is_none("nothing"));
  CHECK(copy.contains("nothing"));
  CHECK(copy.is_none("missing"));
  CHECK_FALSE(copy.contains("missing"));
}

TEST_CASE("the order of setting does not show: equal states are equal bytes") {
  StateDict one;
  one.set("b", 1);
  one.set("c", 2);
  one.set("a", 3);
  StateDict other;
  other.set("a", 0.5);
  other.set("c", 2);
  other.set("b", 1);
  other.set("a", 3);
  CHECK(one.proto().SerializeAsString() == other.proto().SerializeAsString());
}

TEST_CASE("a value that is missing or of another type is an error that names it") {
  StateDict state;
  state.set("count", 1);
  CHECK_THROWS_WITH_AS(state.get_int("wait"), "state: 'wait' is missing", CorruptionError);
  CHECK_THROWS_WITH_AS(state.get_double("count"), "state: 'count' is an integer, not a number", CorruptionError);
  CHECK_THROWS_AS(state.get_strings("count"), CorruptionError);
}

TEST_CASE("a state dict prints as JSON, with what JSON has no number for") {
  StateDict state;
  state.set("a", std::numeric_limits<double>::infinity());
  state.set("b", std::numeric_limits<double>::quiet_NaN());
  state.set("c", std::vector<double>{1.5});
  state.set_none("d");
  CHECK(state.to_json() == R"({"a":"inf","b":"nan","c":[1.5],"d":null})");
}

TEST_CASE("bytes come back as they were, and as text nowhere else") {
  const std::string bytes("\xff\x00\xc3", 3);
  StateDict state;
  state.set_bytes("raw", bytes);
  v1::StateDict read;
  REQUIRE(read.ParseFromString(state.proto().SerializeAsString()));
  CHECK(StateDict(read).get_bytes("raw") == bytes);
  CHECK_THROWS_WITH_AS(state.get_string("raw"), "state: 'raw' is bytes, not a string", CorruptionError);
  CHECK(state.to_json() == R"({"raw":{"bytes":3}})");
}

TEST_CASE("a string that no checkpoint could be read back with is refused, and the error says what takes it") {
  StateDict state;
  const char* const message = "state: set('raw'): the string is not UTF-8; keep other bytes with set_bytes";
  CHECK_THROWS_WITH_AS(state.set("raw", "\xff"), message, ConfigError);
  CHECK_THROWS_WITH_AS(state.set("raw", std::string("a\xc3")), message, ConfigError);
  CHECK_THROWS_WITH_AS(state.set("raw", std::vector<std::string>{"a", "\xff"}), message, ConfigError);
  CHECK_THROWS_WITH_AS(state.set("\xff", 1), "state: the name '?' is not UTF-8", ConfigError);
  CHECK_THROWS_AS(state.set("map", std::map<std::string, double>{{"\xff", 1.0}}), ConfigError);
}
