// Every callback gets its events, whatever becomes of the others.
#include <doctest/doctest.h>

#include <future>
#include <set>
#include <stdexcept>

#include "tests/support/actor_run.h"

using namespace troupe;

namespace {

/// Counts too, and every hundredth batch throws once.
struct Stumbler : StepCounter {
  std::shared_ptr<std::set<int64_t>> stumbled = std::make_shared<std::set<int64_t>>();

  using StepCounter::on;
  void on(const TrainBatchEnded& event, const RunState& run) {
    StepCounter::on(event, run);
    if (batches % 100 == 0 && stumbled->insert(batches).second) {
      throw std::runtime_error("stumbled");
    }
  }
};

/// Holds every event until it is let go.
struct Holder {
  std::shared_future<void> let_go;
  int64_t batches = 0;

  std::string state_key() const { return "Holder"; }

  void on(const TrainBatchEnded& /*event*/) {
    let_go.wait();
    ++batches;
  }
};

struct OutputsKeeper {
  int64_t bytes = 0;
  void on(const TrainBatchEnded& /*event*/, const StepOutputs& outputs) { bytes += outputs.bytes; }
};

uint64_t logged_batches(const std::filesystem::path& run_directory) {
  uint64_t batches = 0;
  uint64_t seq = 0;
  for (const Event& event : logged_events(run_directory)) {
    CHECK(event.seq() == ++seq);
    batches += event.has_train_batch_ended() ? 1 : 0;
  }
  return batches;
}

/// The last report of the callbacks' health.
v1::CallbackHealthReported last_health(const std::filesystem::path& run_directory) {
  v1::CallbackHealthReported last;
  for (const Event& event : logged_events(run_directory)) {
    if (event.has_callback_health_reported()) {
      last = event.callback_health_reported();
    }
  }
  return last;
}

}  // namespace

TEST_CASE("every event is logged once and reaches every callback once and in order") {
  ActorRun run;
  std::vector<std::shared_ptr<CallbackSlot<StepCounter>>> counters;
  counters.push_back(run.add(StepCounter()));
  const auto stumbler = run.add(Stumbler(), {.max_restarts = 100});
  const auto outputs = run.add(OutputsKeeper());
  run.start();
  for (int i = 0; i < 2000; ++i) {
    run.batch(std::make_shared<const StepOutputs>(StepOutputs{3}));
  }
  const RunState state = run.finish();
  CHECK(state.global_step() == 2000);
  CHECK(counters[0]->callback->batches == 2000);
  CHECK(counters[0]->callback->in_order);
  CHECK(stumbler->callback->batches == 2000);
  CHECK(stumbler->callback->in_order);
  CHECK(stumbler->callback->stumbled->size() == 20);
  CHECK(outputs->callback->bytes == 6000);
  CHECK(logged_batches(run.path()) == 2000);
}

TEST_CASE("a callback that takes nothing of 2,000 batches keeps its lane's bound and nobody else's events") {
  ActorRun run;
  std::promise<void> let_go;
  const auto holder = run.add(Holder{let_go.get_future().share()}, {.lane_events_max = 100});
  const auto counter = run.add(StepCounter());
  run.start();
  for (int i = 0; i < 2000; ++i) {
    run.batch();
  }
  run.system().flush();  // The relay has handed on all of them, and the log has them.
  let_go.set_value();
  const RunState state = run.finish();
  CHECK(counter->callback->batches == 2000);
  const Event ended = logged_events(run.path()).back();
  CHECK(ended.seq() == state.seq());
  const auto& health = health_of(ended.run_ended().callbacks(), "Holder");
  CHECK(holder->callback->batches <= 100 + 100);  // What it held, and what waited in its lane.
  CHECK(holder->callback->batches + static_cast<int64_t>(health.dropped()) == 2000);
  CHECK(ended.run_ended().emit_waits() == 0);
}

TEST_CASE("the health of every callback is reported during the run, with what became of its events") {
  struct Notified {
    std::promise<void>* saved;
    void on(const CheckpointSaved& /*event*/) { saved->set_value(); }
    std::string state_key() const { return "Notified"; }
  };
  struct Refuser : StepCounter {
    using StepCounter::on;
    void on(const TrainEpochEnded& /*event*/) { throw std::runtime_error("never"); }
    std::string state_key() const { return "Refuser"; }
  };
  std::promise<void> saved;
  ActorRun run;
  run.config().health_every = std::chrono::microseconds(0);
  run.add(StepCounter());
  run.add(Stumbler(), {.max_restarts = 2});
  run.add(Refuser(), {.max_restarts = 2});
  run.add(Notified{&saved});
  run.start();
  for (int i = 0; i < 250; ++i) {
    run.batch();
  }
  Event epoch;
  epoch.mutable_train_epoch_ended();
  run.emit(std::move(epoch));
  run.checkpoint("checkpoints/250.ckpt");  // It has been written when those with state have taken all of that, ...
  saved.get_future().wait();
  run.system().flush();  // ... and with the next request the relay has reported what it handed on since.
  run.finish();

  const auto reported = last_health(run.path());
  REQUIRE(reported.callbacks_size() == 4);
  CHECK(std::is_sorted(reported.callbacks().begin(), reported.callbacks().end(),
                       [](const auto& a, const auto& b) { return a.state_key() < b.state_key(); }));
  const auto& counter = health_of(reported.callbacks(), "StepCounter");
  CHECK(counter.delivered() == 250);
  CHECK(counter.failures() + counter.restarts() + counter.skipped() + counter.dropped() + counter.lag() == 0);
  const auto& stumbler = health_of(reported.callbacks(), "Stumbler");
  CHECK(stumbler.failures() == 2);
  CHECK(stumbler.restarts() == 2);
  CHECK(stumbler.skipped() == 0);
  CHECK(stumbler.delivered() == 250 + 99 + 199);  // After each restart what came before the failure again.
  CHECK(stumbler.hook_us() > 0);
  const auto& refuser = health_of(reported.callbacks(), "Refuser");
  CHECK(refuser.failures() == 2);
  CHECK(refuser.restarts() == 2);
  CHECK(refuser.skipped() == 1);
  CHECK(refuser.delivered() == 3 * 250);
}
