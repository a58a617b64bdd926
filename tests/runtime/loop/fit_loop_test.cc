#include "troupe/runtime/loop/fit_run.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <csignal>

#include "tests/support/recording_sink.h"
#include "tests/support/tiny_module.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

TrainerOptions two_epochs() {
  TrainerOptions options;
  options.max_epochs = 2;
  return options;
}

struct Setup {
  explicit Setup(const TrainerOptions& given = two_epochs(), int64_t train_batches = 4)
      : options(given), data(train_batches), loop(module, data.train_dataloader(), data.val_dataloader(), options) {}
  RunOutcome run() { return loop.run(sink, RunStarted()); }

  TrainerOptions options;
  TinyModule module;
  TinyData data;
  FitRun loop;
  RecordingSink sink;
};

Decision stop(const std::string& from) {
  Decision decision{from, "Stopper", {}};
  decision.command.mutable_stop()->set_reason("enough");
  return decision;
}

Decision save() {
  Decision decision{"saver", "Saver", {}};
  decision.command.mutable_save_checkpoint()->set_path("x.ckpt");
  return decision;
}

template <EventBody E>
int64_t count(const RecordingSink& sink) {
  return std::count_if(sink.events.begin(), sink.events.end(),
                       [](const auto& event) { return event->body_case() == EventTraits<E>::kType; });
}

}  // namespace

TEST_CASE("the loop runs without actors and reaches its limits") {
  Setup setup;
  const auto outcome = setup.run();
  CHECK(outcome.status == v1::RUN_STATUS_FINISHED);
  CHECK(outcome.reason == "max_epochs=2 reached");
  CHECK(count<TrainBatchEnded>(setup.sink) == 8);
  CHECK(count<ValidationEnded>(setup.sink) == 3);  // With the sanity check.
  CHECK(setup.sink.events.front()->has_run_started());
  CHECK(setup.sink.events.back()->has_torn_down());
}

TEST_CASE("a stop at a batch runs the validation that is due and ends the epoch there") {
  Setup setup;
  setup.sink.asked.set(Event::kTrainBatchEnded);
  setup.sink.decide = [](const Event& event) {
    return event.position().global_step() == 2 ? std::vector<Decision>{stop("voter")} : std::vector<Decision>{};
  };
  const auto outcome = setup.run();
  CHECK(outcome.status == v1::RUN_STATUS_STOPPED);
  CHECK(outcome.stopped_by == "voter");
  CHECK(count<TrainBatchEnded>(setup.sink) == 2);
  CHECK(count<ValidationEnded>(setup.sink) == 2);
  CHECK(count<TrainEpochEnded>(setup.sink) == 1);
}

TEST_CASE("a checkpoint is refused where nothing can be resumed from") {
  Setup setup;
  setup.sink.asked.set(Event::kFitStarted);
  setup.sink.asked.set(Event::kValidationEnded);
  setup.sink.decide = [](const Event&) { return std::vector<Decision>{save()}; };
  setup.run();
  CHECK(count<CommandRefused>(setup.sink) == 2);  // FitStarted and the sanity check.
  CHECK(setup.sink.snapshots.size() == 2);        // The two validations.
}

TEST_CASE("a snapshot taken after any batch leads to the same weights") {
  Setup whole;
  torch::manual_seed(1);
  whole.sink.asked.set(Event::kTrainBatchEnded);
  whole.sink.decide = [](const Event&) { return std::vector<Decision>{save()}; };
  whole.run();
  REQUIRE(whole.sink.snapshots.size() == 8);
  for (const auto& snapshot : whole.sink.snapshots) {
    Setup resumed;
    resumed.loop.restore(*snapshot);
    RunResumed opening;
    opening.set_checkpoint("x.ckpt");
    resumed.loop.run(resumed.sink, opening);
    CHECK(weights_of(resumed.module) == weights_of(whole.module));
    CHECK(count<FitStarted>(resumed.sink) == 0);
    CHECK(count<CheckpointLoaded>(resumed.sink) == 1);
  }
}

TEST_CASE("a signal ends the run at the next batch with a checkpoint") {
  Setup setup;
  setup.module.in_training_step = [&](int64_t batch_index) { setup.sink.signal = batch_index == 1 ? SIGTERM : 0; };
  const auto outcome = setup.run();
  CHECK(outcome.status == v1::RUN_STATUS_INTERRUPTED);
  CHECK(outcome.signal == SIGTERM);
  CHECK(count<TrainBatchEnded>(setup.sink) == 2);
  CHECK(count<InputRecorded>(setup.sink) == 1);
  REQUIRE(setup.sink.snapshots.size() == 1);
  CHECK(setup.sink.snapshots[0]->state.loop().batches_done() == 2);
  CHECK(count<TrainEnded>(setup.sink) == 0);
}

TEST_CASE("gradients are clipped after OptimizerStepStarted, by norm or by value") {
  auto options = two_epochs();
  options.max_epochs = 1;
  options.limit_train_batches = 1;
  options.gradient_clip_val = 1e-6;
  SUBCASE("by norm") {}
  SUBCASE("by value") {
    options.gradient_clip_algorithm = GradientClipAlgorithm::kValue;
  }
  Setup setup(options);
  const auto before = weights_of(setup.module);
  setup.run();
  const auto after = weights_of(setup.module);
  for (size_t i = 0; i < before.size(); ++i) {
    CHECK(after[i] == doctest::Approx(before[i]).epsilon(1e-6));
  }
  CHECK(after != before);
}

TEST_CASE("what a module is missing is named") {
  class Empty : public Module {};
  Empty module;
  TinyData data;
  const auto options = two_epochs();
  CHECK_THROWS_AS(FitRun(module, data.train_dataloader(), nullptr, options), ConfigError);
}
