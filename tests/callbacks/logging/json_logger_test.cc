#include "troupe/callbacks/logging/json_logger.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/captured_stderr.h"
#include "tests/support/logger_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct JsonLogged : LoggerRun<JSONLogger> {
  explicit JsonLogged(const TemporaryFolder& folder, RunState state = {})
      : LoggerRun(folder, "metrics.jsonl", std::move(state)) {}
};

}  // namespace

TEST_CASE(
    "JSONLogger writes a line for a step's, an epoch's and a validation's metrics, but not for the sanity check's") {
  const TemporaryFolder folder;
  JsonLogged logged(folder);
  logged.run.start_fit(logging_every(2));
  logged.run.validate({{"val_loss", 9.0}}, v1::STAGE_SANITY_CHECK);
  logged.run.train_batch({{"loss", 1.0}});
  logged.run.train_batch({{"epoch", 7.0}, {"loss", 0.1}, {"step", 7.0}});
  logged.accumulate();
  logged.run.train_batch({{"loss", 0.3}});
  logged.run.train_batch();
  logged.run.validate({{"acc", 1.0}, {"val_loss", 1e-7}});
  logged.run.end_epoch({{"loss", 0.5}});
  logged.run.end_epoch();
  TestEpochEnded test;
  test.add_metrics()->set_name("test_loss");
  logged.run.send(test);
  CHECK(logged.text() ==
        "{\"epoch\":0,\"step\":2,\"loss\":0.1}\n"
        "{\"epoch\":0,\"step\":4,\"acc\":1.0,\"val_loss\":1e-07}\n"
        "{\"epoch\":0,\"step\":4,\"loss\":0.5}\n"
        "{\"epoch\":2,\"step\":4,\"test_loss\":0.0}\n");
}

TEST_CASE("JSONLogger writes what JSON has no number for as strings, and escapes names") {
  const TemporaryFolder folder;
  JsonLogged logged(folder);
  logged.run.start_fit();
  logged.run.end_epoch({{"a\"\n", kNaN}, {"b", kInf}, {"c", -kInf}});
  CHECK(logged.text() == "{\"epoch\":0,\"step\":0,\"a\\\"\\n\":\"nan\",\"b\":\"inf\",\"c\":\"-inf\"}\n");
}

TEST_CASE("JSONLogger writes what observers measured") {
  const TemporaryFolder folder;
  JsonLogged logged(folder);
  logged.run.start_fit();
  logged.run.train_batch();
  v1::Measured measured;
  measured.add_metrics()->set_name("cpu_percent");
  measured.mutable_metrics(0)->set_value(12.5);
  CallbackEmitted emitted;
  *emitted.mutable_event() = make_user_event(measured);
  logged.run.send(emitted);
  *emitted.mutable_event() = make_user_event(v1::Measured());
  logged.run.send(emitted);
  CHECK(logged.text() == "{\"epoch\":0,\"step\":1,\"cpu_percent\":12.5}\n");
}

TEST_CASE("JSONLogger starts a fresh file in a fresh run, and none before it") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "metrics.jsonl") << "old\n";
  JsonLogged logged(folder);
  CHECK(logged.text() == "old\n");
  logged.run.start_fit();
  CHECK(logged.text().empty());
}

TEST_CASE("JSONLogger cuts off what came after the checkpoint that a run is resumed from") {
  const TemporaryFolder folder;
  JsonLogged first(folder);
  first.run.start_fit(logging_every(1));
  first.run.train_batch({{"loss", 1.0}});
  const StateDict saved = first.callback->state_dict();
  const RunState state = first.run.state();
  SUBCASE("lines") {
    first.run.train_batch({{"loss", 7.0}});
    first.run.train_batch({{"loss", 8.0}});
  }
  SUBCASE("a torn line") {
    std::ofstream(first.path, std::ios::app) << "{\"epoch\":0,";
  }
  SUBCASE("nothing") {}
  JsonLogged second(folder, state);
  second.run.resume(saved);
  CHECK(second.text() == "{\"epoch\":0,\"step\":1,\"loss\":1.0}\n");
  second.accumulate();  // Of the step that has been logged.
  second.run.train_batch({{"loss", 2.0}});
  CHECK(second.text() ==
        "{\"epoch\":0,\"step\":1,\"loss\":1.0}\n"
        "{\"epoch\":0,\"step\":2,\"loss\":2.0}\n");
}

TEST_CASE("JSONLogger says so when lines are missing, and goes on after the last whole one") {
  const TemporaryFolder folder;
  JsonLogged first(folder);
  first.run.start_fit();
  first.run.end_epoch({{"loss", 1.0}});
  first.run.end_epoch({{"loss", 2.0}});
  const StateDict saved = first.callback->state_dict();
  std::ofstream(first.path) << "{\"epoch\":0,\"step\":0,\"loss\":1.0}\n{\"epo";
  const CapturedStderr captured;
  JsonLogged second(folder, first.run.state());
  second.run.resume(saved);
  CHECK(captured.text() == "warning: JSONLogger{'path': 'metrics.jsonl'}: " + first.path.string() +
                               " has 32 of the 64 bytes that the checkpoint knows; the others are lost\n");
  second.run.position() = first.run.position();
  second.run.end_epoch({{"loss", 3.0}});
  CHECK(second.text() ==
        "{\"epoch\":0,\"step\":0,\"loss\":1.0}\n"
        "{\"epoch\":2,\"step\":0,\"loss\":3.0}\n");
}

TEST_CASE("JSONLogger that is restarted without saved state writes the file again from the start") {
  const TemporaryFolder folder;
  JsonLogged first(folder);
  first.run.start_fit();
  first.run.end_epoch({{"loss", 1.0}});
  JsonLogged again(folder);
  again.run.start_fit();
  again.run.end_epoch({{"loss", 1.0}});
  CHECK(again.text() == "{\"epoch\":0,\"step\":0,\"loss\":1.0}\n");
}

TEST_CASE("JSONLogger's file that cannot be made is an error before the run that names it") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "";
  JSONLogger logger({.path = "file/metrics.jsonl"});
  logger.set_run_directory(folder.path());
  for (const Stage stage : {v1::STAGE_FIT, v1::STAGE_VALIDATE, v1::STAGE_TEST}) {
    CHECK_THROWS_WITH_AS(logger.prepare_files(stage), doctest::Contains("file/metrics.jsonl"), IoError);
  }
  logger.prepare_files(v1::STAGE_PREDICT);
  CHECK_THROWS_WITH_AS(JSONLogger({.path = ""}), doctest::Contains("path"), ConfigError);
}
