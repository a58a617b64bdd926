// What operators send, at batch boundaries.
#include "troupe/runtime/loop/inputs.h"

#include <doctest/doctest.h>

#include <csignal>

#include "tests/support/small_fit.h"
#include "tests/support/tiny_module.h"
#include "troupe/runtime/loop/evaluation_run.h"

using namespace troupe;

namespace {

v1::InputRecorded input(const std::function<void(v1::Command&)>& fill, const std::string& from = "ann") {
  v1::InputRecorded input;
  input.set_from(from);
  fill(*input.mutable_command());
  return input;
}

/// Sends inputs in the n-th training step of the fit, counted from 0.
void send_at(SmallFit& fit, int step, std::vector<v1::InputRecorded> inputs) {
  auto count = std::make_shared<int>(0);
  fit.module->in_training_step = [&fit, step, inputs, count](int64_t /*batch_index*/) {
    if ((*count)++ == step) {
      fit.sink.inputs = inputs;
    }
  };
}

void stop_for_lunch(v1::Command& command) {
  command.mutable_stop()->set_reason("lunch");
}

}  // namespace

TEST_CASE("an operator's command is recorded, then applied with the record as its cause") {
  SmallFit fit;
  send_at(fit, 1, {input([](v1::Command& command) { command.mutable_set_learning_rate()->set_lr(0.5); })});
  fit.run();
  REQUIRE(fit.events<InputRecorded>().size() == 1);
  REQUIRE(fit.events<CommandApplied>().size() == 1);
  const auto recorded = fit.events<InputRecorded>()[0];
  const auto applied = fit.events<CommandApplied>()[0];
  CHECK(recorded.position().batch_index() == 1);
  CHECK(recorded.input_recorded().from() == "ann");
  CHECK(applied.seq() == recorded.seq() + 1);
  CHECK(applied.command_applied().cause_seq() == recorded.seq());
  CHECK(applied.command_applied().from() == "ann");
}

TEST_CASE("an operator's command that makes no sense is refused") {
  SmallFit fit;
  send_at(fit, 0,
          {input([](v1::Command& command) { command.mutable_set_learning_rate()->set_lr(-1); }),
           input([](v1::Command& /*command*/) {})});
  fit.run();
  CHECK(fit.events<InputRecorded>().size() == 2);
  CHECK(fit.refusals().size() == 2);
}

TEST_CASE("an operator's stop ends the run at the batch with a checkpoint, whatever the minima") {
  TrainerOptions options = small_options();
  options.min_epochs = 2;
  SmallFit whole;
  whole.run();
  SmallFit fit(options);
  send_at(fit, 3, {input(stop_for_lunch)});
  const auto outcome = fit.run();
  CHECK(outcome.status == v1::RUN_STATUS_INTERRUPTED);
  CHECK(outcome.reason == "stopped by operator ann: lunch");
  CHECK(outcome.signal == 0);
  CHECK(fit.events<TrainBatchEnded>().size() == 4);
  CHECK(fit.events<TrainEnded>().empty());
  REQUIRE(fit.sink.snapshots.size() == 1);
  CHECK(fit.events<CheckpointTaken>()[0].checkpoint_taken().path() == "checkpoints/interrupted.ckpt");
  SmallFit resumed;
  resumed.resume(*fit.sink.snapshots[0]);
  CHECK(resumed.state_bytes() == whole.state_bytes());
}

TEST_CASE("an operator may withdraw a stop that is still waiting with it") {
  SmallFit fit;
  send_at(fit, 0, {input(stop_for_lunch), input([](v1::Command& command) { command.mutable_withdraw_stop(); })});
  CHECK(fit.run().status == v1::RUN_STATUS_FINISHED);
}

TEST_CASE("an operator's checkpoint needs no path, and is exact") {
  SmallFit whole;
  whole.run();
  SmallFit fit;
  send_at(fit, 8, {input([](v1::Command& command) { command.mutable_save_checkpoint(); })});
  fit.run();
  REQUIRE(fit.events<CheckpointTaken>().size() == 1);
  CHECK(fit.events<CheckpointTaken>()[0].checkpoint_taken().path() == "checkpoints/epoch=1-step=9-operator.ckpt");
  CHECK(fit.events<CheckpointTaken>()[0].checkpoint_taken().from() == "ann");
  SmallFit resumed;
  resumed.resume(*fit.sink.snapshots.at(0));
  CHECK(resumed.state_bytes() == whole.state_bytes());
}

TEST_CASE("a paused run waits at the batch boundary until an operator lets it go on") {
  SmallFit fit;
  fit.control<TrainBatchEnded>([](const Event& event, Control& control) {
    if (event.position().global_step() == 2) {
      control.pause("look at it");
    }
  });
  int waits = 0;
  fit.sink.on_wait = [&] {
    CHECK(fit.events<TrainBatchEnded>().size() == 2);
    if (++waits == 2) {
      fit.sink.inputs = {input([](v1::Command& command) { command.mutable_save_checkpoint(); }),
                         input([](v1::Command& command) { command.mutable_resume(); })};
    }
  };
  CHECK(fit.run().status == v1::RUN_STATUS_FINISHED);
  CHECK(waits == 2);
  CHECK(fit.events<TrainBatchEnded>().size() == 12);

  SmallFit resumed;  // From the checkpoint that was taken while it was paused.
  resumed.sink.on_wait = [&] { resumed.sink.signal = SIGTERM; };
  CHECK(resumed.resume(*fit.sink.snapshots.at(0)).signal == SIGTERM);
  CHECK(resumed.events<TrainBatchEnded>().empty());
}

TEST_CASE(
    "what came at a batch boundary of a validation comes again when the run goes on from a checkpoint before it") {
  const auto saves_in_validation = [](SmallFit& fit) {
    fit.control<ValidationBatchEnded>([](const Event& event, Control& control) {
      if (event.position().stage() == v1::STAGE_VALIDATE && event.position().epoch() == 0) {
        v1::SaveCheckpoint save;
        save.set_path("x.ckpt");
        control.save_checkpoint(save);
      }
    });
  };
  SmallFit whole;
  saves_in_validation(whole);
  whole.run();
  REQUIRE(whole.sink.snapshots.size() == 2);  // One after each batch of the first validation.
  for (size_t i = 0; i < 2; ++i) {
    SmallFit resumed;
    resumed.sink.inputs = {input([](v1::Command& command) { command.mutable_set_learning_rate()->set_lr(0.5); })};
    resumed.resume(*whole.sink.snapshots[i]);
    std::vector<EventType> types;
    for (const auto& event : resumed.sink.events) {
      types.push_back(event->body_case());
    }
    const auto place = [&](EventType type) { return std::find(types.begin(), types.end(), type) - types.begin(); };
    CHECK(place(Event::kInputRecorded) < place(i == 0 ? Event::kValidationBatchEnded : Event::kValidationEpochEnded));
    CHECK(resumed.events<InputRecorded>()[0].position().batch_index() == i);
  }
}

TEST_CASE("an evaluation alone takes a stop, a metric and a custom event from operators, and refuses the rest") {
  TinyModule module;
  TinyData data;
  RecordingSink sink;
  sink.inputs = {input([](v1::Command& command) { command.mutable_pause(); }),
                 input([](v1::Command& command) { command.mutable_log_metric()->set_name("x"); }),
                 input([](v1::Command& command) { command.mutable_custom()->mutable_event()->set_type("note"); }),
                 input(stop_for_lunch)};
  try {
    ModuleScope scope(module, v1::STAGE_TEST);
    run_evaluation(scope, {data.test_dataloader()}, TrainerOptions(), sink, RunStarted());
    FAIL("not stopped");
  } catch (const Interrupted& interrupted) {
    CHECK(interrupted.reason == "stopped by operator ann: lunch");
  }
  const auto count = [&](EventType type) {
    return std::count_if(sink.events.begin(), sink.events.end(),
                         [type](const auto& event) { return event->body_case() == type; });
  };
  CHECK(count(Event::kTestBatchEnded) == 1);
  CHECK(count(Event::kInputRecorded) == 4);
  CHECK(count(Event::kCommandApplied) == 3);
  CHECK(count(Event::kCommandRefused) == 1);
  CHECK(count(Event::kUserEvent) == 1);
  CHECK(sink.events.back()->has_torn_down());
}
