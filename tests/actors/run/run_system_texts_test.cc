// Texts that are not UTF-8, from everybody who gives some.
#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/support/actor_run.h"
#include "tests/support/captured_stderr.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

/// Votes to stop with a text that no log could be read back with.
struct BytesVoter {
  void on(const TrainBatchEnded& /*event*/, Control& control) { control.stop("not UTF-8: \xff"); }
  std::string state_key() const { return "BytesVoter"; }
};

/// Fails with such a text.
struct BytesThrower {
  void on(const TrainEpochEnded& /*event*/) { throw std::runtime_error("not UTF-8: \xff"); }
  std::string state_key() const { return "BytesThrower"; }
};

}  // namespace

TEST_CASE("a text that is not UTF-8 leaves a log and a checkpoint that can be read, whoever gave it") {
  const testing::CapturedStderr quiet;
  ActorRun run;
  run.add(BytesVoter());
  run.add(BytesThrower());
  run.start();
  const Round round = run.ask_batch();
  REQUIRE(round.decisions.size() == 1);
  CHECK(round.decisions[0].command.stop().reason() == "not UTF-8: \xef\xbf\xbd");
  v1::InputRecorded input;
  input.set_from("\xff");
  input.mutable_command()->mutable_stop()->set_reason("\xff");
  run.inbox().send(std::move(input));
  for (auto& taken : run.system().take_inputs()) {
    Event recorded;
    *recorded.mutable_input_recorded() = std::move(taken);
    run.emit(std::move(recorded));
  }
  Event epoch;
  epoch.mutable_train_epoch_ended();
  run.emit(std::move(epoch));
  Event raised;
  raised.mutable_exception_raised()->set_message("not UTF-8: \xff");
  run.emit(std::move(raised));
  run.checkpoint("checkpoints/\xff.ckpt");
  run.system().finish(v1::RUN_STATUS_FAILED, "not UTF-8: \xff");
  const auto report = verify_event_log(run.path() / "events");
  CHECK(report.sound());
  CHECK(report.ended);
  const Event ended = logged_events(run.path()).back();
  CHECK(ended.run_ended().reason() == "not UTF-8: \xef\xbf\xbd");
  CHECK(health_of(ended.run_ended().callbacks(), "BytesThrower").failures() > 0);
  CHECK(verify_checkpoint(run.path() / "checkpoints/\xef\xbf\xbd.ckpt").sound());
}
