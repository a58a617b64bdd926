// Rounds of controllers: who is asked, what counts, and what becomes of those that fail or are late.
#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/support/actor_run.h"

using namespace troupe;

namespace {

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

/// Its observer hook throws.
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

/// Keeps the threads that it decides on.
struct PromptVoter {
  static constexpr CallbackPolicy kPolicy{.prompt = true};
  std::string state_key() const { return "b"; }
  std::set<std::thread::id> threads = {};
  int validations = 0;
  void on(const ValidationEnded& /*event*/) { ++validations; }
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    threads.insert(std::this_thread::get_id());
    control.stop(std::to_string(validations) + " validations before");
  }
};

struct PromptThrower {
  static constexpr CallbackPolicy kPolicy{.on_failure = FailurePolicy::kDetach, .prompt = true};
  void on(const TrainBatchEnded& /*event*/, Control& /*control*/) { throw std::runtime_error("no answer"); }
  std::string state_key() const { return "PromptThrower"; }
};

struct BatchCounter {
  std::string state_key() const { return "BatchCounter"; }
  int batches = 0;
  void on(const TrainBatchEnded& /*event*/) { ++batches; }
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

}  // namespace

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

TEST_CASE("a prompt controller answers after the events that it observes, in the same round as the others") {
  ActorRun run;
  const auto voter = run.add(Voter{20, "a", {}});
  run.add(PromptVoter(), PromptVoter::kPolicy);
  run.start();
  for (uint64_t step = 1; step <= 20; ++step) {
    Event validated;
    validated.mutable_validation_ended();
    run.emit(std::move(validated));
    const Round round = run.ask_batch();
    REQUIRE(round.decisions.size() == (step == 20 ? 2 : 1));
    CHECK(round.decisions.back().from == "b");
    CHECK(round.decisions.back().command.stop().reason() == std::to_string(step) + " validations before");
  }
  run.finish();
  CHECK(voter->callback->seen.size() == 20);
}

TEST_CASE(
    "the loop runs prompt hooks itself, and what only they were asked about is in the log and with observers at the "
    "end") {
  ActorRun run;
  const auto seen = run.add(BatchCounter());
  const auto prompt = run.add(PromptVoter(), PromptVoter::kPolicy);
  run.start();
  for (int step = 0; step < 100; ++step) {
    CHECK(run.ask_batch().decisions.size() == 1);
  }
  run.finish();
  CHECK(seen->callback->batches == 100);
  CHECK(prompt->callback->threads == std::set{std::this_thread::get_id()});  // It observes nothing that came.
  const auto events = logged_events(run.path());
  CHECK(std::count_if(events.begin(), events.end(), [](const Event& event) { return event.has_train_batch_ended(); }) ==
        100);
}

TEST_CASE("a prompt controller that throws is detached where its policy says so, and is not asked again") {
  ActorRun run;
  run.add(PromptThrower(), PromptThrower::kPolicy);
  run.start();
  CHECK(run.ask_batch().detached == std::vector<std::string>{"PromptThrower"});
  CHECK_FALSE(run.system().asks(*run.fresh_batch()));
  run.finish();
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

TEST_CASE("what a controller answers after it was detached at its deadline is not carried out") {
  ActorRun run;
  const DetachWatcher watcher;
  const LateVoter late{watcher.detached->get_future().share()};
  run.add(watcher);
  run.add(late, {.deadline_s = 0.01, .on_deadline = DeadlinePolicy::kDetach});
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
