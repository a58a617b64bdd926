#include "troupe/runtime/event/run_state.h"

#include <doctest/doctest.h>

#include "tests/support/log_events.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// A run to which a test appends one event after another.
struct Run {
  RunState state;

  Run() { state.apply(run_started_event()); }

  template <class Body>
  void apply(const Body& body, uint64_t global_step = 0, Stage stage = v1::STAGE_FIT) {
    Event event;
    event.set_seq(state.seq() + 1);
    event.mutable_position()->set_stage(stage);
    event.mutable_position()->set_global_step(global_step);
    *EventTraits<Body>::mutable_body(event) = body;
    state.apply(event);
  }

  void apply_command(const std::string& from, const v1::Command& command) {
    CommandApplied applied;
    applied.set_from(from);
    *applied.mutable_command() = command;
    apply(applied);
  }
};

FitStarted fit_with_groups(std::initializer_list<std::pair<const char*, double>> groups) {
  FitStarted fit;
  fit.set_max_epochs(3);
  fit.add_modules()->set_name("net");
  for (const auto& [name, lr] : groups) {
    auto* group = fit.add_param_groups();
    group->set_name(name);
    group->set_lr(lr);
  }
  return fit;
}

CheckpointTaken taken(const std::string& path, bool best) {
  CheckpointTaken event;
  event.set_path(path);
  event.set_monitor("val_loss");
  event.set_best(best);
  return event;
}

v1::Command stop_command(const std::string& reason) {
  v1::Command command;
  command.mutable_stop()->set_reason(reason);
  return command;
}

}  // namespace

TEST_CASE_FIXTURE(Run, "the fold keeps the latest value of every metric and where the run stands") {
  state.apply(batch_event(2, 1));
  state.apply(batch_event(3, 2));
  CHECK(state.seq() == 3);
  CHECK(state.incarnation() == 1);
  CHECK(state.global_step() == 2);
  CHECK(state.metric("loss") == 0.5);
  CHECK_FALSE(state.metric("val_loss").has_value());
}

TEST_CASE_FIXTURE(Run, "an event that is not the successor is refused") {
  CHECK_THROWS_WITH_AS(state.apply(batch_event(3, 1)), doctest::Contains("expected seq 2, found 3"), CorruptionError);
}

TEST_CASE_FIXTURE(Run, "learning rates follow fit, steps and commands, by group") {
  apply(fit_with_groups({{"lr-SGD/pg1", 0.1}, {"lr-SGD/pg2", 0.2}}));
  CHECK(state.fit().max_epochs() == 3);
  CHECK(state.fit().modules().empty());
  TrainBatchEnded batch;
  batch.add_learning_rates(0.01);
  batch.add_learning_rates(0.02);
  apply(batch, 1);
  CHECK(state.metric("lr-SGD/pg2") == 0.02);
  apply(TrainBatchEnded(), 2);
  CHECK(state.metric("lr-SGD/pg1") == 0.01);
  v1::Command command;
  command.mutable_set_learning_rate()->set_lr(0.5);
  command.mutable_set_learning_rate()->set_group("lr-SGD/pg2");
  apply_command("operator", command);
  CHECK(state.metric("lr-SGD/pg1") == 0.01);
  CHECK(state.metric("lr-SGD/pg2") == 0.5);
  ValidationEnded validation;
  validation.add_learning_rates(0.004);
  validation.add_learning_rates(0.008);
  apply(validation, 2);
  CHECK(state.metric("lr-SGD/pg2") == 0.008);
  TrainEpochEnded epoch;
  epoch.add_learning_rates(0.001);
  epoch.add_learning_rates(0.002);
  apply(epoch, 2);
  CHECK(state.metric("lr-SGD/pg1") == 0.001);
}

TEST_CASE_FIXTURE(Run, "votes stand until they are withdrawn, their callback is detached or the run is resumed") {
  apply_command("a", stop_command("enough"));
  apply_command("b", stop_command("late"));
  apply_command("c", stop_command("tired"));
  v1::Command withdraw;
  withdraw.mutable_withdraw_stop();
  apply_command("a", withdraw);
  CallbackDetached detached;
  detached.set_state_key("b");
  apply(detached);
  CHECK((state.votes() == std::map<std::string, std::string>{{"c", "tired"}}));
  state.apply(run_resumed_event(2, state.seq(), 0));
  CHECK(state.votes().empty());
  CHECK(state.incarnation() == 2);
}

TEST_CASE_FIXTURE(Run, "the sanity check leaves no metric and is no validation") {
  ValidationEpochEnded epoch;
  auto* metric = epoch.add_metrics();
  metric->set_name("val_loss");
  metric->set_value(1.5);
  apply(epoch, 0, v1::STAGE_SANITY_CHECK);
  apply(v1::ValidationEnded(), 0, v1::STAGE_SANITY_CHECK);
  CHECK(state.metric("val_loss") == 1.5);
  apply(v1::SanityCheckEnded(), 0, v1::STAGE_SANITY_CHECK);
  CHECK(state.metrics().empty());
  CHECK(state.validations() == 0);
  apply(epoch, 0, v1::STAGE_VALIDATE);
  apply(v1::ValidationEnded(), 0, v1::STAGE_VALIDATE);
  CHECK(state.metric("val_loss") == 1.5);
  CHECK(state.validations() == 1);
}

TEST_CASE_FIXTURE(Run, "checkpoints are taken, saved, failed and removed, and the best is the last that was") {
  apply(taken("a.ckpt", true));
  const uint64_t a_seq = state.seq();
  apply(taken("b.ckpt", true));
  apply(taken("c.ckpt", false));
  CHECK(state.best_checkpoint() == "b.ckpt");
  v1::CheckpointSaved saved;
  saved.set_path("a.ckpt");
  saved.set_taken_seq(a_seq);
  apply(saved);
  CHECK(state.checkpoints()[0].state() == v1::CheckpointInfo::SAVED);
  CHECK(state.checkpoints()[1].state() == v1::CheckpointInfo::TAKEN);
  v1::CheckpointFailed failed;
  failed.set_path("b.ckpt");
  failed.set_taken_seq(a_seq + 1);
  apply(failed);
  CHECK(state.best_checkpoint() == "a.ckpt");
  v1::CheckpointRemoved removed;
  removed.set_path("a.ckpt");
  apply(removed);
  CHECK(state.checkpoints().size() == 2);
  CHECK(state.best_checkpoint().empty());
}

TEST_CASE_FIXTURE(Run, "a resume goes back to its seq and runs again") {
  state.apply(batch_event(2, 1));
  v1::RunEnded ended;
  ended.set_status(v1::RUN_STATUS_FAILED);
  ended.set_reason("out of memory");
  apply(ended);
  CHECK(state.reason() == "out of memory");
  state.apply(run_resumed_event(2, 2, 1));
  CHECK(state.seq() == 3);
  CHECK(state.status() == v1::RUN_STATUS_RUNNING);
  CHECK(state.reason().empty());
}

TEST_CASE_FIXTURE(Run, "a copy keeps what it had when the original goes on, and the other way round") {
  state.apply(batch_event(2, 1));
  apply(fit_with_groups({{"lr-SGD", 0.1}}));
  apply(taken("a.ckpt", true));
  apply_command("a", stop_command("enough"));
  RunState copy = state;
  const std::string before = copy.to_proto().SerializeAsString();
  state.apply(batch_event(6, 2));
  v1::Command command;
  command.mutable_set_learning_rate()->set_lr(9.0);
  apply_command("operator", command);
  apply_command("b", stop_command("late"));
  apply(taken("b.ckpt", true));
  CHECK(copy.to_proto().SerializeAsString() == before);
  const std::string original = state.to_proto().SerializeAsString();
  copy.apply(batch_event(6, 5));
  CHECK(copy.metric("loss") == 0.2);
  CHECK(state.to_proto().SerializeAsString() == original);
}

TEST_CASE_FIXTURE(Run, "a state comes back from its message whole, and folds on as before") {
  apply(fit_with_groups({{"lr-SGD", 0.1}}));
  apply(taken("a.ckpt", true));
  apply_command("a", stop_command("enough"));
  v1::Command log_metric;
  log_metric.mutable_log_metric()->set_name("lr");
  log_metric.mutable_log_metric()->set_value(0.25);
  log_metric.mutable_log_metric()->set_prog_bar(true);
  apply_command("monitor", log_metric);
  RunState restored = RunState::from_proto(state.to_proto());
  CHECK(restored.to_proto().SerializeAsString() == state.to_proto().SerializeAsString());
  CHECK((restored.prog_bar_metrics() == std::vector<std::string>{"lr"}));
  restored.apply(batch_event(6, 1));
  state.apply(batch_event(6, 1));
  CHECK(restored.to_proto().SerializeAsString() == state.to_proto().SerializeAsString());
}

TEST_CASE_FIXTURE(Run, "deterministic bytes do not tell attempts and checkpoints apart, but metrics") {
  RunState resumed = state;
  resumed.apply(run_resumed_event(2, 1, 0));
  RunState straight = state;
  straight.apply(batch_event(2, 1));
  resumed.apply(batch_event(3, 1));
  CHECK(straight.deterministic_bytes() == resumed.deterministic_bytes());
  straight.apply(batch_event(3, 2));
  CHECK(straight.deterministic_bytes() != resumed.deterministic_bytes());
}

TEST_CASE_FIXTURE(Run, "what a run was to leave and has not is known from its end to its resume") {
  v1::RunEnded ended;
  ended.add_lost("checkpoint a.ckpt was not written: no space");
  apply(ended);
  CHECK(state.lost() == std::vector<std::string>{"checkpoint a.ckpt was not written: no space"});
  CHECK(RunState::from_proto(state.to_proto()).lost() == state.lost());
  Run sound;
  sound.apply(v1::RunEnded());
  CHECK(state.deterministic_bytes() == sound.state.deterministic_bytes());
  state.apply(run_resumed_event(2, 1, 1));
  CHECK(state.lost().empty());
}
