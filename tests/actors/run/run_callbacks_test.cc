// Which callback gets which state of a checkpoint.
#include "troupe/actors/run/run_callbacks.h"

#include <doctest/doctest.h>

#include "tests/support/captured_stderr.h"
#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;
using troupe::testing::CapturedStderr;

namespace {

/// Takes states of its own key, and of every key that begins as `family` says.
struct Heir {
  std::string key;
  std::string family;
  std::string from = {};  ///< What it was given.

  void on(const TrainEpochEnded& /*event*/) {}
  std::string state_key() const { return key; }
  bool takes_state_of(const std::string& state_key) const { return state_key.starts_with(family); }
  StateDict state_dict() const { return {}; }
  void load_state_dict(const StateDict& state) { from = state.get_string("from"); }
};

struct Heirs {
  std::vector<std::shared_ptr<Heir>> heirs;
  Callbacks callbacks;

  explicit Heirs(const std::vector<Heir>& given) {
    for (const auto& heir : given) {
      heirs.push_back(std::make_shared<Heir>(heir));
      callbacks.push_back(make_callback(heirs.back()));
    }
  }
  std::vector<std::string> given() const {
    std::vector<std::string> from;
    for (const auto& heir : heirs) {
      from.push_back(heir->from);
    }
    return from;
  }
};

/// States that hold the keys that they were saved under.
std::vector<v1::CallbackState> states_of(const std::vector<std::string>& keys) {
  std::vector<v1::CallbackState> states;
  for (const auto& key : keys) {
    StateDict state;
    state.set("from", key);
    states.emplace_back().set_state_key(key);
    *states.back().mutable_state() = state.proto();
  }
  return states;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("a state goes to the callback with its key, whoever else would take it") {
  const CapturedStderr captured;
  const Heirs run({{"C{a}", "C{"}, {"C{b}", "C{"}});
  CHECK(load_states(run.callbacks, states_of({"C{a}", "C{b}"})).size() == 2);
  CHECK(run.given() == Keys{"C{a}", "C{b}"});
  CHECK(captured.text() == "");
}

TEST_CASE("a state under another key goes to the only callback that takes it, under its present key") {
  const CapturedStderr captured;
  const Heirs run({{"C{a}", "C{"}, {"D", "D"}});
  const auto loaded = load_states(run.callbacks, states_of({"C{}"}));
  CHECK(run.given() == Keys{"C{}", ""});
  REQUIRE(loaded.contains("C{a}"));
  CHECK(loaded.at("C{a}").state_key() == "C{}");
  CHECK(captured.text() == "");

  const Heirs both({{"C{a}", "C{"}, {"C{b}", "C{"}});
  load_states(both.callbacks, states_of({"C{a}", "C{z}"}));  // One has its own: the other's is the one that is left.
  CHECK(both.given() == Keys{"C{a}", "C{z}"});
}

TEST_CASE("a state that several callbacks would take, or one of several for one, is reported and taken by none") {
  const CapturedStderr captured;
  const Heirs two({{"C{a}", "C{"}, {"C{b}", "C{"}});
  CHECK(load_states(two.callbacks, states_of({"C{}"})).empty());
  CHECK(captured.text() ==
        "troupe: warning: the checkpoint holds the state of C{}, which is not among the callbacks; whether it is that "
        "of C{a} or C{b} cannot be told, so nothing takes it\n");
  const Heirs one(std::vector<Heir>{{"C{a}", "C{"}});
  CHECK(load_states(one.callbacks, states_of({"C{x}", "C{y}"})).empty());
  CHECK(one.given() == Keys{""});
  const Heirs none(std::vector<Heir>{{"D", "D"}});
  CHECK(load_states(none.callbacks, states_of({"C{}"})).empty());
  CHECK(captured.text().ends_with("the state of C{}, which is not among the callbacks\n"));
}

TEST_CASE("what a clock decided about a callback under its old key is about its present one") {
  const CapturedStderr captured;
  const Heirs run({{"C{a}", "C{"}, {"D", "D"}});
  KnownInputs known;
  for (const char* key : {"C{}", "D"}) {
    known.inputs.emplace_back().input.mutable_clock()->set_state_key(key);
    known.decided.emplace_back().set_state_key(key);
  }
  known.inputs.emplace_back().input.mutable_command()->mutable_resume();
  rename_callbacks(known, load_states(run.callbacks, states_of({"C{}", "D"})));
  CHECK(known.inputs[0].input.clock().state_key() == "C{a}");
  CHECK(known.inputs[1].input.clock().state_key() == "D");
  CHECK(known.inputs[2].input.has_command());
  CHECK(known.decided[0].state_key() == "C{a}");
  CHECK(known.decided[1].state_key() == "D");
}
