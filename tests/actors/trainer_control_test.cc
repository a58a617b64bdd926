// Control through the whole system: what Live hooks, step outputs, operators and events of users do to a real run.
#include <doctest/doctest.h>
#include <google/protobuf/wrappers.pb.h>
#include <torch/torch.h>

#include <atomic>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/loop/live.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

/// Tries some steps at an absurd rate after the first batch.
struct Trier {
  std::vector<double> losses;
  void on(const TrainBatchEnded& /*event*/, Live& live) {
    if (live.run().global_step() != 1) {
      return;
    }
    const auto result = live.run_trial({.learning_rate = [](int64_t) { return 10.0; }, .steps = 5});
    for (const auto& step : result.steps) {
      losses.push_back(step.loss);
    }
  }
};

struct GradientNorms {
  void on(const BackwardEnded& /*event*/, Live& live) {
    for (const auto& [name, norm] : live.gradient_norms()) {
      live.control().log("grad_norm/" + name, norm);
    }
  }
};

struct LossKeeper {
  std::vector<float> losses;
  int64_t samples = 0;
  void on(const TrainBatchEnded& /*event*/, const StepOutputs& outputs) {
    losses.push_back(outputs.loss.item<float>());
    samples += outputs.batch.data.size(0);
    CHECK_FALSE(outputs.loss.requires_grad());
  }
};

/// Emits a message of its own type at each epoch's end.
struct Announcer {
  std::shared_ptr<Outbox> outbox;
  void set_outbox(std::shared_ptr<Outbox> given) { outbox = std::move(given); }
  void on(const TrainEpochEnded& /*event*/, const RunState& run) {
    google::protobuf::UInt64Value steps;
    steps.set_value(run.global_step());
    outbox->emit(make_user_event(steps));
  }
};

struct Listener {
  using UserEvents = UserEventTypes<google::protobuf::UInt64Value>;
  std::vector<uint64_t> heard;
  void on(const google::protobuf::UInt64Value& steps) { heard.push_back(steps.value()); }
};

v1::Command pause_command() {
  v1::Command command;
  command.mutable_pause();
  return command;
}
v1::Command resume_command() {
  v1::Command command;
  command.mutable_resume();
  return command;
}
v1::Command learning_rate_command(double lr) {
  v1::Command command;
  command.mutable_set_learning_rate()->set_lr(lr);
  return command;
}

}  // namespace

TEST_CASE("a trial in a Live hook of a real run changes nothing of it") {
  const TemporaryFolder folder;
  const auto without = trained_weights(folder.path() / "without", [](Trainer&) {});
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path() / "with"));
  const auto trier = trainer.add(Trier());
  trainer.fit(module, data);
  CHECK(weights_of(module) == without);
  REQUIRE(trier.get().losses.size() == 5);
  CHECK(trier.get().losses.back() > 10 * trier.get().losses.front());  // It did train, and diverged.
  CHECK(events_of<TrainBatchEnded>(folder.path() / "with").size() == 8);
}

TEST_CASE("a Live hook reads the gradients of the step, and what it logs is a metric of the run") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const auto without = trained_weights(folder.path() / "without", [](Trainer&) {});
  CHECK(trained_weights(run_dir, [](Trainer& trainer) { trainer.add(GradientNorms(), "norms"); }) == without);
  int weights = 0;
  for (const auto& event : events_of<CommandApplied>(run_dir)) {
    const auto& applied = event.command_applied();
    CHECK(applied.from() == "norms");
    weights += applied.command().log_metric().name() == "grad_norm/linear.weight" ? 1 : 0;
    CHECK(applied.command().log_metric().value() > 0);
  }
  CHECK(weights == 8);
}

TEST_CASE("a Live hook that throws fails the run with its name, or is detached where its policy says so") {
  struct Thrower {
    void on(const TrainEpochEnded& /*event*/, Live& /*live*/) { throw std::runtime_error("hands off"); }
  };
  const TemporaryFolder folder;
  const auto without = trained_weights(folder.path() / "without", [](Trainer&) {});
  CHECK_THROWS_WITH_AS(trained_weights(folder.path() / "fail", [](Trainer& t) { t.add(Thrower(), "thrower"); }),
                       "callback thrower failed at TrainEpochEnded: hands off", CallbackError);
  const CapturedStderr quiet;
  const auto with = trained_weights(folder.path() / "detach", [](Trainer& trainer) {
    trainer.add(Thrower(), "thrower", {.on_failure = FailurePolicy::kDetach});
  });
  CHECK(with == without);
  REQUIRE(events_of<CallbackDetached>(folder.path() / "detach").size() == 1);
}

TEST_CASE("an observer sees the tensors of every step, detached") {
  const TemporaryFolder folder;
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path() / "run"));
  const auto keeper = trainer.add(LossKeeper());
  trainer.fit(module, data);
  REQUIRE(keeper.get().losses.size() == 8);
  CHECK(keeper.get().samples == 24);
  CHECK(keeper.get().losses.back() < keeper.get().losses.front());
}

TEST_CASE("an operator's commands take effect at the next batch, and are recorded before they do") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(run_dir));
  CHECK_FALSE(trainer.send(pause_command()));  // Nothing runs.
  // Sent from inside the third training step, so that it is known where it must take effect.
  int steps = 0;
  module.in_training_step = [&](int64_t) {
    if (++steps == 3) {
      CHECK(trainer.send(learning_rate_command(0.25), "ops"));
      CHECK(trainer.send(learning_rate_command(-1), "ops"));
    }
  };
  trainer.fit(module, data);
  CHECK_FALSE(trainer.send(pause_command()));
  std::vector<std::string> story;
  for (const auto& event : history_of(run_dir)) {
    if (event.has_train_batch_ended()) {
      story.push_back("batch");
    } else if (event.has_input_recorded()) {
      CHECK(event.input_recorded().from() == "ops");
      story.push_back("input");
    } else if (event.has_command_applied()) {
      CHECK(event.command_applied().from() == "ops");
      story.push_back("applied");
    } else if (event.has_command_refused()) {
      story.push_back("refused");
    }
  }
  CHECK(story == std::vector<std::string>{"batch", "batch", "batch", "input", "applied", "input", "refused", "batch",
                                          "batch", "batch", "batch", "batch"});
}

TEST_CASE("a paused run waits for the operator and ends as one that was never paused") {
  const TemporaryFolder folder;
  const auto without = trained_weights(folder.path() / "without", [](Trainer&) {});
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path() / "run"));
  int steps = 0;
  std::atomic<int> steps_at_pause{0};
  std::thread operators;
  trainer.on<CommandApplied>("on pause", [&](const CommandApplied& applied) {
    if (applied.command().has_pause()) {  // The run stands still by now: nothing but this thread can let it go on.
      operators = std::thread([&] {
        steps_at_pause = steps;
        trainer.send(resume_command(), "ops");
      });
    }
  });
  module.in_training_step = [&](int64_t) {
    if (++steps == 3) {
      trainer.send(pause_command(), "ops");
    }
  };
  trainer.fit(module, data);
  operators.join();
  CHECK(steps_at_pause == 3);
  CHECK(weights_of(module) == without);
}

TEST_CASE("an event of an observer's own reaches the log and the callbacks that take its type") {
  const TemporaryFolder folder;
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.add(Announcer());
  const auto listener = trainer.add(Listener());
  trainer.fit(module, data);
  CHECK(events_of<CallbackEmitted>(folder.path() / "run").size() == 2);
  CHECK(listener.get().heard == std::vector<uint64_t>{4, 8});
}
