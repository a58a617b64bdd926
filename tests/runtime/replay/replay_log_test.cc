// What a replay says of logs that a test writes: decisions that are missing, too many, in another order, refused.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/contains.h"
#include "tests/support/written_run.h"
#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/replay/replay.h"

using namespace troupe;
using nlohmann::json;

namespace {

v1::Command rate_of(double lr) {
  v1::Command command;
  command.mutable_set_learning_rate()->set_lr(lr);
  return command;
}

v1::Command metric_of(double value) {
  v1::Command command;
  command.mutable_log_metric()->set_name("m");
  command.mutable_log_metric()->set_value(value);
  return command;
}

struct RateSetterOptions {
  std::string key = "setter";
  double lr = 0.01;
  std::string file = "";

  void describe(OptionVisitor& visit) {
    visit("key", key, "State key.");
    visit("lr", lr, "Rate to set.");
    visit("file", file, "A file.");
  }
};

/// Sets a rate at the end of every epoch, after it has logged a metric; emits the two in the wrong order.
class RateSetter {
 public:
  explicit RateSetter(RateSetterOptions options) : options_(std::move(options)) {}
  void on(const TrainEpochEnded& /*event*/, Control& control) {
    control.log("m", 1);
    control.set_learning_rate(options_.lr);
  }
  std::string state_key() const { return options_.key; }

 private:
  RateSetterOptions options_;
};

struct TakesTransient {
  void on(const BackwardEnded& /*event*/) {}
};

struct ThrowsAtEpoch {
  void on(const TrainEpochEnded& /*event*/, Control& /*control*/) { throw std::runtime_error("no"); }
};

json setter(const std::string& key, double lr) {
  return {{"type", "RateSetter"}, {"key", key}, {"lr", lr}};
}

struct SetterRun : WrittenRun {
  CallbackRegistry registry;

  explicit SetterRun(const json& callbacks = json::array({setter("a", 0.01)}))
      : WrittenRun(json{{"trainer", {{"enable_progress_bar", true}}}, {"callbacks", callbacks}}.dump()) {
    register_builtin_callbacks(registry);
    registry.register_callback<RateSetter, RateSetterOptions>("RateSetter");
    registry.register_callback<TakesTransient>("TakesTransient");
    registry.register_callback<ThrowsAtEpoch>("ThrowsAtEpoch");
    for (const auto& callback : callbacks) {
      attach(callback.value("key", callback["type"]), callback["type"]);
    }
    start_fit();
  }

  ReplayReport replay(const std::string& from = {}, const std::string& until = {}) {
    return replay_run(registry, {write(), scratch(), from, until});
  }
  void refused(const std::string& from, uint64_t cause_seq, const v1::Command& command, const std::string& reason) {
    v1::CommandRefused refused;
    refused.set_from(from);
    refused.set_cause_seq(cause_seq);
    *refused.mutable_command() = command;
    refused.set_reason(reason);
    add(std::move(refused));
  }
};

}  // namespace

TEST_CASE_FIXTURE(SetterRun, "decisions in the canonical order are reproduced, whatever came between them") {
  const auto seq = epoch(1);
  applied("a", seq, rate_of(0.01));
  v1::CheckpointSaved saved;
  saved.set_path("x.ckpt");
  add(saved);
  applied("a", seq, metric_of(1));
  end(v1::RUN_STATUS_FINISHED, "done");
  const auto report = replay();
  CHECK(report.equal());
  CHECK(report.reproduced == 2);
  CHECK(report.decisions == 2);
}

TEST_CASE_FIXTURE(SetterRun,
                  "a decision that is missing in the log, and one that is too many, are told at their event") {
  const auto first = epoch(1);
  applied("a", first, rate_of(0.01));
  const auto second = epoch(1);
  applied("a", second, rate_of(0.01));
  applied("a", second, metric_of(1));
  applied("a", second, metric_of(1));
  end(v1::RUN_STATUS_FINISHED, "done");
  const auto report = replay();
  REQUIRE(report.first_divergence);
  CHECK(report.first_divergence->seq == first);
  CHECK(report.first_divergence->position.epoch() == 0);
  CHECK(report.first_divergence->recorded == "nothing");
  CHECK(report.first_divergence->replayed == "LogMetric { name: \"m\" value: 1 }");
  CHECK(report.diverged == 2);
  CHECK(report.reproduced == 3);
  const auto rest = replay(std::to_string(first + 1));
  REQUIRE(rest.first_divergence);
  CHECK(rest.first_divergence->seq == second);
  CHECK(rest.first_divergence->replayed == "nothing");
  CHECK(replay("", std::to_string(first - 1)).equal());
}

TEST_CASE_FIXTURE(SetterRun, "another value is a divergence with both sides") {
  const auto seq = epoch(1);
  applied("a", seq, rate_of(0.02));
  applied("a", seq, metric_of(1));
  end(v1::RUN_STATUS_FINISHED, "done");
  const auto report = replay();
  REQUIRE(report.first_divergence);
  CHECK(report.first_divergence->recorded == "SetLearningRate { lr: 0.02 }");
  CHECK(report.first_divergence->replayed == "SetLearningRate { lr: 0.01 }");
  CHECK(report.diverged == 1);
}

TEST_CASE("commands that contradict each other have to be refused, as the log says") {
  SetterRun run(json::array({setter("a", 0.01), setter("b", 0.02)}));
  SUBCASE("both") {
    const auto seq = run.epoch(1);
    run.refused("a", seq, rate_of(0.01), "contradicts the SetLearningRate of b");
    run.refused("b", seq, rate_of(0.02), "contradicts the SetLearningRate of a");
    run.applied("a", seq, metric_of(1));
    run.applied("b", seq, metric_of(1));
    CHECK(run.replay().equal());
    CHECK(run.replay().reproduced == 4);
  }
  SUBCASE("one was applied") {
    const auto seq = run.epoch(1);
    run.applied("a", seq, rate_of(0.01));
    run.refused("b", seq, rate_of(0.02), "contradicts the SetLearningRate of a");
    run.applied("a", seq, metric_of(1));
    run.applied("b", seq, metric_of(1));
    const auto report = run.replay();
    REQUIRE(report.first_divergence);
    CHECK(report.first_divergence->callback == "a");
    CHECK(contains(report.first_divergence->replayed, "refused: contradicts the SetLearningRate of b"));
  }
}

TEST_CASE_FIXTURE(SetterRun, "what the loop refused for reasons of its own is taken as recorded") {
  const auto seq = epoch(1);
  refused("a", seq, rate_of(0.01), "no parameter group");
  applied("a", seq, metric_of(1));
  end(v1::RUN_STATUS_FINISHED, "done");
  CHECK(replay().equal());
}

TEST_CASE("a controller that was late is not waited for, and decides nothing any more") {
  SetterRun run;
  const auto seq = run.epoch(1);
  v1::InputRecorded input;
  input.mutable_clock()->set_kind(v1::ClockDecision::KIND_DEADLINE);
  input.mutable_clock()->set_state_key("a");
  input.mutable_clock()->set_event(static_cast<uint32_t>(Event::kTrainEpochEnded));
  run.add(input);
  v1::CallbackDetached detached;
  detached.set_state_key("a");
  run.add(detached);
  run.epoch(1);
  run.end(v1::RUN_STATUS_FINISHED, "done");
  CHECK(run.replay().equal());
  CHECK(seq > 0);
}

TEST_CASE("a controller that failed the run fails it again") {
  SetterRun run(json::array({{{"type", "ThrowsAtEpoch"}}}));
  run.epoch(1);
  v1::ExceptionRaised raised;
  raised.set_type("CallbackError");
  raised.set_message("callback ThrowsAtEpoch failed at TrainEpochEnded: no");
  SUBCASE("as recorded") {
    run.add(raised);
    run.end(v1::RUN_STATUS_FAILED, raised.message());
    CHECK(run.replay().equal());
    CHECK(run.replay().reproduced == 1);
  }
  SUBCASE("with another message") {
    raised.set_message("callback ThrowsAtEpoch failed at TrainEpochEnded: never");
    run.add(raised);
    run.end(v1::RUN_STATUS_FAILED, raised.message());
    REQUIRE(run.replay().first_divergence);
    CHECK(run.replay().first_divergence->recorded == raised.message());
  }
  SUBCASE("though the run went on") {
    run.epoch(1);
    REQUIRE(run.replay().first_divergence);
    CHECK(contains(run.replay().first_divergence->replayed, "failed at TrainEpochEnded: no"));
  }
}

TEST_CASE("what a log ends with in the middle of a round is no divergence") {
  SetterRun run;
  const auto seq = run.epoch(1);
  run.applied("a", seq, rate_of(0.01));
  CHECK(run.replay().equal());
}

TEST_CASE("callbacks that cannot be replayed are named, each with the reason") {
  SetterRun run(json::array({{{"type", "TakesTransient"}},
                             {{"type", "Unheard"}},
                             {{"type", "CSVLogger"}, {"path", "/var/metrics.csv"}},
                             {{"type", "RateSetter"}, {"key", "out"}, {"file", "../x"}}}));
  const std::string logger = "CSVLogger{'path': '/var/metrics.csv'}";
  run.attach(logger, "CSVLogger");
  run.attach("in code", "Printer");
  const auto report = run.replay();
  std::map<std::string, std::string> why;
  for (const auto& other : report.not_replayable) {
    why[other.state_key] = other.why;
  }
  CHECK(contains(why["TakesTransient"], "BackwardEnded, which is transient"));
  CHECK(contains(why["Unheard"], "'Unheard' is not known here"));
  CHECK(contains(why["in code"], "added it in code"));
  CHECK(contains(why["out"], "'file' leads out of the run directory"));
  CHECK(contains(why[logger], "'path' leads out of the run directory"));
}

TEST_CASE("a damaged log, and one that is not there, are errors") {
  SetterRun run;
  run.epoch(1);
  const auto path = run.write();
  CHECK_THROWS_AS(replay_run(run.registry, {path / "nothing", run.scratch()}), IoError);
  std::fstream file(path / "events/00000001.tfrecord", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);
  file.put('\xff');
  file.close();
  CHECK_THROWS_AS(replay_run(run.registry, {path, run.scratch()}), CorruptionError);
}
