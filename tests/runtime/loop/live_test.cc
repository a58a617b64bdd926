#include "troupe/runtime/loop/live.h"

#include <doctest/doctest.h>

#include "tests/support/small_fit.h"
#include "tests/support/tiny_module.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/evaluation_run.h"

using namespace troupe;

TEST_CASE("a Live hook has the module, its optimizers and the gradients") {
  SmallFit fit;
  std::vector<std::string> names;
  double first_norm = -1;
  fit.live<BackwardEnded>([&](const BackwardEnded&, Live& live) {
    CHECK(&live.module() == fit.module.get());
    REQUIRE(live.optimizers().size() == 1);
    names.clear();
    for (const auto& [name, norm] : live.gradient_norms()) {
      names.push_back(name);
    }
    first_norm = live.gradient_norms().at(0).second;
    CHECK(first_norm == doctest::Approx(live.gradients().at(0).second.norm().item<double>()));
  });
  fit.run();
  CHECK(names == std::vector<std::string>{"backbone.0.weight", "backbone.0.bias", "backbone.1.weight",
                                          "backbone.1.bias", "head.weight", "head.bias"});
  CHECK(first_norm > 0);
}

TEST_CASE("what a Live hook commands is applied right after it, before the next hook") {
  SmallFit fit;
  std::vector<double> rates;
  fit.live<TrainStarted>([&](const TrainStarted&, Live& live) { live.control().set_learning_rate(0.5); });
  fit.live<TrainStarted>([&](const TrainStarted&, Live& live) {
    torch::optim::Optimizer& optimizer = live.optimizers().front();
    rates.push_back(optimizer.param_groups()[0].options().get_lr());
  });
  fit.run();
  CHECK(rates == std::vector<double>{0.5});
  REQUIRE(fit.events<CommandApplied>().size() == 1);
  CHECK(fit.events<CommandApplied>()[0].command_applied().from() == "live");
  CHECK(fit.events<CommandApplied>()[0].command_applied().cause_seq() == fit.events<TrainStarted>()[0].seq());
}

TEST_CASE("checkpoints of controllers and Live hooks hold what every Live hook of the event did") {
  const auto prepare = [](SmallFit& fit) {
    fit.control<TrainBatchEnded>([](const Event& event, Control& control) {
      if (event.position().batch_index() == 2) {
        v1::SaveCheckpoint save;
        save.set_path("x.ckpt");
        control.save_checkpoint(save);
      }
    });
    fit.live<TrainBatchEnded>([](const TrainBatchEnded&, Live& live) {
      const torch::NoGradGuard no_grad;
      live.module().parameters()[0].mul_(0.9);
      live.control().set_learning_rate(0.02);
    });
  };
  SmallFit whole;
  prepare(whole);
  whole.run();
  REQUIRE(whole.sink.snapshots.size() == 2);
  SmallFit resumed;
  prepare(resumed);
  resumed.resume(*whole.sink.snapshots[0]);
  CHECK(resumed.state_bytes() == whole.state_bytes());
}

TEST_CASE("a Live hook sees the tensors of the batch that just ended") {
  SmallFit fit;
  int seen = 0;
  fit.live<TrainBatchEnded>([&](const TrainBatchEnded&, Live& live) {
    REQUIRE(live.outputs() != nullptr);
    CHECK(live.outputs()->batch.size() == 4);
    CHECK_FALSE(live.outputs()->loss.requires_grad());
    CHECK(live.outputs()->loss.item<double>() > 0);
    ++seen;
  });
  fit.live<TrainEpochEnded>([&](const TrainEpochEnded&, Live& live) { CHECK(live.outputs() == nullptr); });
  fit.run();
  CHECK(seen == 12);
  for (const auto& outputs : fit.sink.outputs) {
    CHECK(outputs == nullptr);  // The sink did not ask for them.
  }
}

TEST_CASE("an evaluation alone lends its module, without optimizers and trials") {
  TinyModule module;
  TinyData data;
  RecordingSink sink;
  int seen = 0;
  const auto hook = [&](const PredictBatchEnded&, Live& live) {
    CHECK(&live.module() == &module);
    CHECK_THROWS_AS(live.optimizers(), ConfigError);
    CHECK_THROWS_AS(live.run_trial({}), ConfigError);
    CHECK(live.outputs()->prediction.size(0) == 3);
    live.control().stop("no");
    live.control().log("seen", ++seen);
  };
  sink.live_callbacks.push_back(make_callback(
      std::make_shared<callback_detail::LambdaCallback<PredictBatchEnded, decltype(hook)>>(hook), "live"));
  sink.lent.set(Event::kPredictBatchEnded);
  ModuleScope scope(module, v1::STAGE_PREDICT);
  run_evaluation(scope, {data.predict_dataloader()}, TrainerOptions(), sink, RunStarted());
  CHECK(seen == 3);
  const auto count = [&](EventType type) {
    return std::count_if(sink.events.begin(), sink.events.end(),
                         [type](const auto& event) { return event->body_case() == type; });
  };
  CHECK(count(Event::kCommandApplied) == 3);
  CHECK(count(Event::kCommandRefused) == 3);
}
