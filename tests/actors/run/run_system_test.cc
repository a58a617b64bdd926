#include "troupe/actors/run/run_system.h"

#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensor_stand_ins.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/typed_callback.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

/// Counts batches, and is right only if it gets each of them once and in order.
struct StepCounter {
  int64_t batches = 0;
  bool in_order = true;

  void on(const TrainBatchEnded& /*event*/, const RunState& run) {
    ++batches;
    in_order = in_order && run.global_step() == static_cast<uint64_t>(batches);
  }
  StateDict state_dict() const {
    StateDict state;
    state.set("batches", batches);
    return state;
  }
  void load_state_dict(const StateDict& state) { batches = state.get_int("batches"); }
};

/// The same, and every hundredth batch throws once.
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

/// Votes to stop at one step, and says what it saw.
struct Voter {
  uint64_t at_step = 0;
  std::string key;
  std::vector<uint64_t> seen;

  void on(const TrainBatchEnded& /*event*/, Control& control) {
    seen.push_back(control.run().global_step());
    if (control.run().global_step() == at_step) {
      control.stop(key + " has seen enough");
    }
  }
  std::string state_key() const { return key; }
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

/// Has a hook for the loop's thread.
struct Borrower {
  std::string state_key() const { return "Borrower"; }
  void on(const TrainEpochEnded& /*event*/, Live& /*live*/) {}
};

/// Wants it at every second step only.
struct RareBorrower {
  std::string state_key() const { return "RareBorrower"; }
  std::vector<AskWhen> ask_when() const { return {troupe::ask_when<TrainBatchEnded>({.every_n_steps = 2})}; }
  void on(const TrainBatchEnded& /*event*/, Live& /*live*/) {}
};

/// Its observer hook throws.
struct BrokenBorrower : Borrower {
  std::string state_key() const { return "BrokenBorrower"; }
  using Borrower::on;
  void on(const TrainBatchEnded& /*event*/) { throw std::runtime_error("broken"); }
};

/// The same of a controller.
struct BrokenVoter {
  std::string state_key() const { return "BrokenVoter"; }
  void on(const ValidationEnded& /*event*/) { throw std::runtime_error("broken"); }
  void on(const TrainBatchEnded& /*event*/, Control& control) { control.stop("never"); }
};

/// Its state cannot be told.
struct SecretVoter {
  std::string state_key() const { return "SecretVoter"; }
  void on(const TrainBatchEnded& /*event*/, Control& control) { control.stop("never"); }
  StateDict state_dict() const {
    if (*secret) {
      throw std::runtime_error("secret");
    }
    return {};
  }
  void load_state_dict(const StateDict& /*state*/) {}
  std::shared_ptr<bool> secret = std::make_shared<bool>(false);
};

/// Says when a callback has been detached.
struct DetachWatcher {
  std::string state_key() const { return "DetachWatcher"; }
  std::shared_ptr<std::promise<void>> detached = std::make_shared<std::promise<void>>();
  void on(const CallbackDetached& /*event*/) { detached->set_value(); }
};

/// Waits until the callback has been detached, and then gives an answer.
struct LateVoter {
  std::string state_key() const { return "LateVoter"; }
  std::shared_future<void> detached;
  std::shared_ptr<std::promise<void>> returned = std::make_shared<std::promise<void>>();
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    detached.wait();
    control.stop("too late");
    returned->set_value();
  }
};

/// Keeps the loop waiting until another hook has returned.
struct PatientVoter {
  std::string state_key() const { return "PatientVoter"; }
  std::shared_future<void> other;
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    other.wait();
    for (int i = 0; i < 10000; ++i) {  // Time for the other's answer to arrive.
      std::this_thread::yield();
    }
    control.stop("in time");
  }
};

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

/// Stands in for the loop around the actors of one run.
class ActorRun {
 public:
  template <class T>
  std::shared_ptr<CallbackSlot<T>> add(T callback, CallbackPolicy policy = {}) {
    auto slot = std::make_shared<CallbackSlot<T>>(CallbackSlot<T>{std::make_shared<T>(std::move(callback))});
    config_.callbacks.push_back(make_callback(slot, {}, policy));
    return slot;
  }

  void start() {
    config_.log = std::make_shared<EventLogWriter>(folder_.path() / "events");
    config_.checkpoints.run_directory = folder_.path();
    config_.checkpoints.run_id = "r1";
    config_.checkpoints.add_snapshot = [this](Snapshot& snapshot, CheckpointParts& parts) {
      while (stalls_until_awaited && system_->checkpoint_waits() == 0) {
        std::this_thread::yield();
      }
      add_stand_in(snapshot, parts);
    };
    config_.bytes_of = [](const StepOutputs& outputs) { return outputs.bytes; };
    config_.inbox = inbox_;
    system_ = std::make_unique<RunSystem>(std::move(config_));
    emit(run_started_event());
  }

  void emit(Event event) { system_->emit(fresh(std::move(event)), nullptr); }
  void batch(std::shared_ptr<const StepOutputs> outputs = nullptr) { system_->emit(fresh_batch(), std::move(outputs)); }
  Round ask_batch() {
    auto event = fresh_batch();
    CHECK(system_->asks(*event));
    return system_->ask(std::move(event), nullptr);
  }
  std::shared_ptr<Event> fresh_batch() { return fresh(batch_event(0, ++step_)); }
  /// Hands an event over, and what is lent for it to `hook`.
  void lend(const std::shared_ptr<Event>& event, const std::function<void()>& hook,
            const std::function<void(const Round&)>& apply) {
    CHECK_FALSE(system_->asks(*event));
    system_->emit(event, nullptr);
    system_->lend(
        event,
        [&](Callback& /*callback*/, const RunState& /*state*/) {
          hook();
          return std::vector<v1::Command>();
        },
        apply);
  }
  void checkpoint(const std::string& path) {
    Event taken;
    taken.mutable_checkpoint_taken()->set_path(path);
    system_->await_checkpoint_slot(path);
    system_->take_checkpoint(fresh(std::move(taken)), std::make_shared<Snapshot>(Snapshot{{1.0F, 2.0F}}), false);
  }
  /// What the actors are made of, until start().
  RunSystemConfig& config() { return config_; }
  std::atomic<bool> stalls_until_awaited =
      false;  ///< The first checkpoint is not written before the loop waits for it.

  RunState finish() { return system_->finish(v1::RUN_STATUS_FINISHED, "done"); }

  RunSystem& system() { return *system_; }
  OperatorInbox& inbox() { return *inbox_; }
  std::filesystem::path path() const { return folder_.path(); }
  std::shared_ptr<Event> fresh(Event event) {
    event.set_seq(0);
    event.set_elapsed_us(++elapsed_us_);
    event.mutable_position()->set_stage(v1::STAGE_FIT);
    event.mutable_position()->set_global_step(step_);
    return std::make_shared<Event>(std::move(event));
  }

 private:
  TemporaryFolder folder_;
  RunSystemConfig config_;
  std::shared_ptr<OperatorInbox> inbox_ = std::make_shared<OperatorInbox>();
  std::unique_ptr<RunSystem> system_;
  uint64_t step_ = 0;
  uint64_t elapsed_us_ = 0;
};

uint64_t logged_batches(const std::filesystem::path& run_directory) {
  EventHistory history(run_directory / "events");
  uint64_t batches = 0;
  uint64_t seq = 0;
  for (Event event; history.next(event);) {
    CHECK(event.seq() == ++seq);
    batches += event.has_train_batch_ended() ? 1 : 0;
  }
  return batches;
}

Event last_event(const std::filesystem::path& run_directory) {
  EventHistory history(run_directory / "events");
  Event last;
  for (Event event; history.next(event);) {
    last = std::move(event);
  }
  return last;
}

/// The last report of the callbacks' health.
v1::CallbackHealthReported last_health(const std::filesystem::path& run_directory) {
  EventHistory history(run_directory / "events");
  v1::CallbackHealthReported last;
  for (Event event; history.next(event);) {
    if (event.has_callback_health_reported()) {
      last = event.callback_health_reported();
    }
  }
  return last;
}

/// `callbacks`: of RunEnded or CallbackHealthReported.
const v1::CallbackHealth& health_of(const google::protobuf::RepeatedPtrField<v1::CallbackHealth>& callbacks,
                                    const std::string& state_key) {
  for (const auto& health : callbacks) {
    if (health.state_key() == state_key) {
      return health;
    }
  }
  throw std::runtime_error("no health of " + state_key);
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
  const Event ended = last_event(run.path());
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

TEST_CASE("all controllers of an event see the same state, and answer in canonical order") {
  ActorRun run;
  std::vector<std::shared_ptr<CallbackSlot<Voter>>> voters;
  for (const char* key : {"d", "a", "c", "b"}) {
    voters.push_back(run.add(Voter{50, key, {}}));
  }
  run.start();
  std::vector<uint64_t> steps;
  for (uint64_t step = 1; step <= 50; ++step) {
    const Round round = run.ask_batch();
    std::vector<std::string> from;
    for (const auto& decision : round.decisions) {
      from.push_back(decision.from);
    }
    CHECK(from == (step == 50 ? std::vector<std::string>{"a", "b", "c", "d"} : std::vector<std::string>()));
    steps.push_back(step);
  }
  run.finish();
  for (const auto& voter : voters) {
    CHECK(voter->callback->seen == steps);
  }
}

TEST_CASE("a controller that throws ends the run with its name") {
  struct Thrower {
    void on(const TrainBatchEnded& /*event*/, Control& /*control*/) { throw std::runtime_error("no answer"); }
    std::string state_key() const { return "Thrower"; }
  };
  ActorRun run;
  run.add(Thrower());
  run.start();
  CHECK_THROWS_WITH_AS(run.ask_batch(), "callback Thrower failed at TrainBatchEnded: no answer", CallbackError);
}

TEST_CASE("a lent callback is told the state after every event before, and what it commands names its event") {
  ActorRun run;
  run.add(Borrower());
  run.start();
  Event epoch;
  epoch.mutable_train_epoch_ended();
  run.batch();
  const auto ended = run.fresh(std::move(epoch));
  std::vector<uint64_t> steps;
  int rounds = 0;
  CHECK_FALSE(run.system().asks(*ended));
  run.system().emit(ended, nullptr);
  run.system().lend(
      ended,
      [&](Callback& callback, const RunState& state) {
        CHECK(callback.info().state_key == "Borrower");
        steps.push_back(state.global_step());
        v1::Command stop;
        stop.mutable_stop()->set_reason("lent");
        return std::vector<v1::Command>{stop};
      },
      [&](const Round& round) {
        ++rounds;
        CHECK(round.seq == ended->seq());
        REQUIRE(round.decisions.size() == 1);
        CHECK(round.decisions[0].command.stop().reason() == "lent");
      });
  CHECK(steps == std::vector<uint64_t>{1});
  CHECK(rounds == 1);
  run.finish();
}

TEST_CASE("what a controller answers after it was detached at its deadline is not carried out") {
  ActorRun run;
  const DetachWatcher watcher;
  const LateVoter late{watcher.detached->get_future().share()};
  run.add(watcher);
  run.add(late, {.on_deadline = DeadlinePolicy::kDetach, .deadline_s = 0.01});
  run.add(PatientVoter{late.returned->get_future().share()});
  run.start();
  const Round round = run.ask_batch();
  CHECK(round.detached == std::vector<std::string>{"LateVoter"});
  REQUIRE(round.decisions.size() == 1);
  CHECK(round.decisions[0].from == "PatientVoter");
  run.finish();
}

TEST_CASE("the votes of a controller that an observer hook of its own detached lapse at the next question, once") {
  ActorRun run;
  run.add(BrokenVoter(), {.on_failure = FailurePolicy::kDetach});
  run.start();
  CHECK(run.ask_batch().decisions.size() == 1);
  Event validated;
  validated.mutable_validation_ended();
  run.emit(std::move(validated));
  const Round round = run.ask_batch();
  CHECK(round.detached == std::vector<std::string>{"BrokenVoter"});
  CHECK(round.decisions.empty());
  CHECK_FALSE(run.system().asks(*run.fresh_batch()));
  run.finish();
}

TEST_CASE("a controller whose state_dict throws is detached where its policy says so") {
  ActorRun run;
  const SecretVoter voter;
  run.add(voter, {.on_failure = FailurePolicy::kDetach});
  run.start();
  run.batch();
  run.system().flush();
  *voter.secret = true;
  run.checkpoint("checkpoints/1.ckpt");
  CHECK(run.ask_batch().detached == std::vector<std::string>{"SecretVoter"});
  run.finish();
  CHECK(read_checkpoint(run.path() / "checkpoints/1.ckpt").callback_states.empty());
}

TEST_CASE("a Live callback that an observer hook of its own detached has no turn any more, and its votes lapse") {
  ActorRun run;
  run.add(BrokenBorrower(), {.on_failure = FailurePolicy::kDetach});
  run.start();
  run.batch();
  std::vector<std::string> detached;
  for (int epoch = 0; epoch < 2; ++epoch) {
    Event ended;
    ended.mutable_train_epoch_ended();
    run.lend(
        run.fresh(std::move(ended)), [&] { FAIL("it was lent"); },
        [&](const Round& round) { detached.insert(detached.end(), round.detached.begin(), round.detached.end()); });
  }
  CHECK(detached == std::vector<std::string>{"BrokenBorrower"});
  run.finish();
}

TEST_CASE("a Live hook has its turn when it wants one") {
  ActorRun run;
  run.add(RareBorrower());
  run.start();
  std::vector<uint64_t> steps;
  for (uint64_t step = 1; step <= 5; ++step) {
    run.lend(
        run.fresh_batch(), [&] { steps.push_back(step); }, [](const Round&) {});
  }
  CHECK(steps == std::vector<uint64_t>{2, 4});
  run.finish();
}

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
  std::vector<Event> events;
  EventHistory history(run.path() / "events");
  for (Event event; history.next(event);) {
    events.push_back(event);
  }
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

TEST_CASE("commands sent from several threads arrive, each sender's in order") {
  ActorRun run;
  run.start();
  constexpr int kSenders = 4;
  constexpr int kEach = 200;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&run, sender] {
      for (int i = 0; i < kEach; ++i) {
        v1::InputRecorded input;
        input.set_from(std::to_string(sender));
        input.mutable_command()->mutable_stop()->set_reason(std::to_string(i));
        run.inbox().send(std::move(input));
      }
    });
  }
  std::vector<int> next(kSenders, 0);
  int taken = 0;
  while (taken < kSenders * kEach) {
    run.system().wait_for_input();
    CHECK(run.system().has_inputs());
    for (const auto& input : run.system().take_inputs()) {
      CHECK(input.command().stop().reason() == std::to_string(next[static_cast<size_t>(std::stoi(input.from()))]++));
      ++taken;
    }
  }
  for (auto& sender : senders) {
    sender.join();
  }
  CHECK_FALSE(run.system().has_inputs());
  run.finish();
}

TEST_CASE("an inbox that is full takes nothing more") {
  OperatorInbox inbox;
  for (size_t i = 0; i < OperatorInbox::kCommandsMax; ++i) {
    CHECK(inbox.send({}));
  }
  CHECK_FALSE(inbox.send({}));
  CHECK(inbox.take().size() == OperatorInbox::kCommandsMax);
  CHECK(inbox.send({}));
}

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
  const Event ended = last_event(run.path());
  CHECK(ended.run_ended().reason() == "not UTF-8: \xef\xbf\xbd");
  CHECK(health_of(ended.run_ended().callbacks(), "BytesThrower").failures() > 0);
  CHECK(verify_checkpoint(run.path() / "checkpoints/\xef\xbf\xbd.ckpt").sound());
}
