// Checkpoints: what they hold, and waiting for room.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/actor_run.h"
#include "tests/support/captured_stderr.h"

using namespace troupe;

TEST_CASE("a checkpoint has the snapshot, and each callback's state of exactly its place") {
  ActorRun run;
  run.add(StepCounter());
  run.start();
  for (int i = 0; i < 500; ++i) {
    run.batch();
    if (i == 299) {
      run.checkpoint("checkpoints/300.ckpt");
    }
  }
  const RunState state = run.finish();
  const CheckpointData data = read_checkpoint(run.path() / "checkpoints/300.ckpt");
  REQUIRE(data.callback_states.size() == 1);
  CHECK(StateDict(data.callback_states[0].state()).get_int("batches") == 300);
  CHECK(data.callback_states[0].seq() == data.header.seq());
  CHECK(data.run_state.position().global_step() == 300);
  CHECK(data.tensors[0].size() == 2 * sizeof(float));
  CHECK(data.training_state->seed() == 7);
  CHECK(state.global_step() == 500);
}

TEST_CASE("waiting for two checkpoints that are still being written is an event and a count") {
  ActorRun run;
  run.start();
  run.stalls_until_awaited = true;
  for (const char* path : {"checkpoints/1.ckpt", "checkpoints/2.ckpt", "checkpoints/3.ckpt"}) {
    run.batch();
    run.checkpoint(path);
  }
  run.finish();
  const std::vector<Event> events = logged_events(run.path());
  const auto waited = [](const Event& event) { return event.has_checkpoint_waited(); };
  REQUIRE(std::count_if(events.begin(), events.end(), waited) == 1);
  const auto place = std::find_if(events.begin(), events.end(), waited);
  CHECK(place->checkpoint_waited().path() == "checkpoints/3.ckpt");
  CHECK(place->checkpoint_waited().waited_us() > 0);
  const auto taken = std::find_if(place, events.end(), [](const Event& event) { return event.has_checkpoint_taken(); });
  REQUIRE(taken != events.end());
  CHECK(taken->checkpoint_taken().path() == "checkpoints/3.ckpt");
  CHECK(events.back().run_ended().checkpoint_waits() == 1);
  CHECK(event_info(Event::kCheckpointWaited).environmental);
  for (const char* path : {"checkpoints/1.ckpt", "checkpoints/2.ckpt", "checkpoints/3.ckpt"}) {
    CHECK(verify_checkpoint(run.path() / path).sound());
  }
}

TEST_CASE("a newest checkpoint that was not written is said at the run's end; an earlier one is not") {
  const testing::CapturedStderr quiet;
  ActorRun run;
  run.start();
  write_file_atomically(run.path() / "file", "no folder");
  run.checkpoint("file/1.ckpt");
  SUBCASE("the newest") {
    const RunState state = run.finish();
    REQUIRE(state.lost().size() == 1);
    CHECK(state.lost()[0].starts_with("checkpoint file/1.ckpt was not written: cannot create folder "));
    CHECK(logged_events(run.path()).back().run_ended().lost(0) == state.lost()[0]);
    CHECK(state.status() == v1::RUN_STATUS_FINISHED);
  }
  SUBCASE("an earlier one") {
    run.checkpoint("checkpoints/2.ckpt");
    CHECK(run.finish().lost().empty());
  }
}

TEST_CASE("an observer that was detached is said at the run's end") {
  struct Failing {
    void on(const TrainBatchEnded& /*event*/) { throw std::runtime_error("the disk is full"); }
    std::string state_key() const { return "Failing"; }
  };
  const testing::CapturedStderr quiet;
  ActorRun run;
  run.add(Failing(), {.max_restarts = 0});
  run.start();
  run.batch();
  CHECK(run.finish().lost() == std::vector<std::string>{"callback Failing was detached before the end"});
}
