// Live callbacks, which have their turn on the loop's thread.
#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/support/actor_run.h"

using namespace troupe;

namespace {

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

}  // namespace

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
