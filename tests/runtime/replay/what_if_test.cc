#include "troupe/runtime/replay/what_if.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/contains.h"
#include "tests/support/written_run.h"
#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using nlohmann::json;

namespace {

const std::string kKey = "EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}";

/// Lowers the rate once, when a step is reached.
struct LowerAt {
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    if (control.run().global_step() == 3) {
      control.set_learning_rate(0.01);
    }
  }
};

json early_stopping(int patience) {
  return {{"type", "EarlyStopping"}, {"monitor", "val_loss"}, {"patience", patience}};
}

/// Six epochs, of which the second is the best; EarlyStopping with patience 3 stops after the fifth (epoch 4).
struct StoppedRun : WrittenRun {
  CallbackRegistry registry;
  std::vector<WhatIfDecision> decisions;

  explicit StoppedRun(const json& trainer = json::object())
      : WrittenRun(json{{"trainer", trainer}, {"callbacks", json::array({early_stopping(3)})}}.dump()) {
    register_builtin_callbacks(registry);
    registry.register_callback<LowerAt>("LowerAt");
    attach(kKey, "EarlyStopping");
    start_fit();
    uint64_t last = 0;
    for (const double loss : {0.5, 0.4, 0.6, 0.6, 0.7}) {
      last = epoch(loss);
    }
    applied(kKey, last, vote(3));
    end(v1::RUN_STATUS_STOPPED, "stopped by " + kKey);
  }

  static v1::Command vote(int records) {
    v1::Command command;
    command.mutable_stop()->set_reason("EarlyStopping: val_loss has not improved for " + std::to_string(records) +
                                       " checks (best 0.4 in epoch 1); stopping");
    return command;
  }

  WhatIfReport ask(const json& callbacks, const std::string& from = {}) {
    decisions.clear();
    return replay_what_if(registry, callbacks, "others.json", {write(), scratch(), from, {}},
                          [&](const WhatIfDecision& decision) { decisions.push_back(decision); });
  }
  ReplayReport replay(const std::string& from = {}, const std::string& until = {}) {
    return replay_run(registry, {write(), scratch(), from, until});
  }
};

}  // namespace

TEST_CASE_FIXTURE(StoppedRun, "a log that was written by hand replays") {
  const auto report = replay();
  CHECK(report.equal());
  CHECK(report.reproduced == 1);
  CHECK(report.events == events.size());
}

TEST_CASE_FIXTURE(StoppedRun, "less patience would have stopped earlier, and behind that the log cannot know") {
  const auto report = ask(json::array({early_stopping(2)}));
  REQUIRE(report.would_stop);
  CHECK(report.would_stop->position.epoch() == 3);
  CHECK(report.would_stop->position.global_step() == 8);
  REQUIRE(report.ended);
  CHECK(report.ended->position.epoch() == 4);
  CHECK(report.stopped);
  CHECK(report.goes_on_behind);
  REQUIRE(report.unknown);
  CHECK(report.unknown->seq == report.would_stop->seq);
  REQUIRE(decisions.size() == 2);
  CHECK(decisions[0].side == WhatIfDecision::Side::kWhatIf);
  CHECK(decisions[0].known);
  CHECK(decisions[0].command.stop().reason() == vote(2).stop().reason());
  CHECK(decisions[1].side == WhatIfDecision::Side::kBoth);  // It votes at every check, as the run's did at its last.
  CHECK_FALSE(decisions[1].known);
}

TEST_CASE_FIXTURE(StoppedRun, "the same callback would have decided the same, and the log knows all") {
  const auto report = ask(json::array({early_stopping(3)}));
  REQUIRE(report.would_stop);
  CHECK(report.would_stop->position.epoch() == 4);
  CHECK_FALSE(report.goes_on_behind);
  CHECK_FALSE(report.unknown);
  REQUIRE(decisions.size() == 1);
  CHECK(decisions[0].side == WhatIfDecision::Side::kBoth);
}

TEST_CASE_FIXTURE(StoppedRun, "more patience would not have stopped, and the run's own vote is shown") {
  const auto report = ask(json::array({early_stopping(4)}));
  CHECK_FALSE(report.would_stop);
  REQUIRE(decisions.size() == 1);
  CHECK(decisions[0].side == WhatIfDecision::Side::kRecorded);
  CHECK(report.decisions == 0);
}

TEST_CASE("a vote waits for the run's minima") {
  StoppedRun run(json{{"min_epochs", 5}});
  const auto report = run.ask(json::array({early_stopping(2)}));
  REQUIRE(report.would_stop);
  CHECK(report.would_stop->position.epoch() == 4);
}

TEST_CASE_FIXTURE(StoppedRun, "from another learning rate on the log cannot know") {
  const auto report = ask(json::array({{{"type", "LowerAt"}}, early_stopping(2)}));
  REQUIRE(report.unknown);
  CHECK(report.unknown->position.global_step() == 3);
  CHECK(contains(report.unknown->why, "SetLearningRate"));
  CHECK_FALSE(decisions.back().known);
}

TEST_CASE_FIXTURE(StoppedRun, "decisions before --from are not shown") {
  ask(json::array({early_stopping(2)}), "epoch=4");
  CHECK(decisions.size() == 1);
}

TEST_CASE_FIXTURE(StoppedRun, "callbacks that make no sense are refused with the file's name") {
  CHECK_THROWS_WITH_AS(ask(json::array()), "others.json: names no callback: there is nothing to ask", ConfigError);
  CHECK_THROWS_AS(ask(json::array({{{"type", "Nobody"}}})), ConfigError);
  CHECK_THROWS_AS(ask(json::array({early_stopping(2), early_stopping(3)})), ConfigError);
  CHECK_THROWS_AS(ask(json::object()), ConfigError);
}
