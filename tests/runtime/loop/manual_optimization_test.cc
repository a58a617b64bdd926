#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>

#include "tests/support/recording_sink.h"
#include "tests/support/scripted_module.h"
#include "tests/support/tiny_module.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/fit_run.h"

using namespace troupe;

namespace {

/// Two Linears that train against each other, under two Adams with schedules; the second steps at every second batch,
/// with the gradients of both.
class TwoPlayers : public Module {
 public:
  TwoPlayers() {
    first_ = register_module("first", torch::nn::Linear(4, 4));
    second_ = register_module("second", torch::nn::Linear(4, 2));
  }

  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    auto one = optimizer(0);
    auto two = optimizer(1);
    one.toggle();
    second_took_gradients = second_took_gradients || second_->weight.requires_grad();
    one.zero_grad();
    manual_backward(output(batch).pow(2).mean());
    one.step();
    one.advance_schedule();
    one.untoggle();

    manual_backward((output(batch) - 1).pow(2).mean());  // Adds up in the second one's parameters.
    if (batch_index % 2 == 1) {
      two.step();
      two.zero_grad();
    }
    return {};
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    const auto adam = [](const std::vector<at::Tensor>& parameters) {
      return std::make_shared<torch::optim::Adam>(parameters, torch::optim::AdamOptions(1e-2));
    };
    return {{.lr_schedule = lr_schedule::exponential(0.9), .optimizer = adam(first_->parameters())},
            {.optimizer = adam(second_->parameters())}};
  }
  bool automatic_optimization() const override { return false; }

  bool second_took_gradients = false;

 private:
  at::Tensor output(const Batch& batch) {
    return second_->forward(torch::dropout(first_->forward(batch.data), 0.2, true));
  }

  torch::nn::Linear first_{nullptr};
  torch::nn::Linear second_{nullptr};
};

TrainerOptions two_epochs() {
  TrainerOptions options;
  options.max_epochs = 2;
  return options;
}

std::vector<std::string> hooks_of_first_batch(const RecordingSink& sink) {
  const auto hooks = sink.hooks();
  const auto first = std::find(hooks.begin(), hooks.end(), "on_train_batch_start");
  return {first, std::find(first, hooks.end(), "on_train_batch_end")};
}

}  // namespace

TEST_CASE("manual optimisation fires the hooks of what the module does, and counts every step") {
  TwoPlayers module;
  TinyData data;
  const auto options = two_epochs();
  FitRun loop(module, data.train_dataloader(), nullptr, options);
  RecordingSink sink;
  loop.run(sink, RunStarted());
  CHECK(hooks_of_first_batch(sink) == std::vector<std::string>{"on_train_batch_start", "on_before_backward",
                                                               "on_after_backward", "on_before_optimizer_step",
                                                               "on_before_backward", "on_after_backward"});
  CHECK(loop.training().loop().global_step() == 8 + 4);
  CHECK_FALSE(module.second_took_gradients);
  std::vector<uint32_t> stepped;
  for (const auto& event : sink.events) {
    if (event->has_optimizer_step_started()) {
      stepped.push_back(event->optimizer_step_started().optimizer());
    }
  }
  CHECK(std::vector<uint32_t>(stepped.begin(), stepped.begin() + 4) == std::vector<uint32_t>{0, 0, 1, 0});
}

TEST_CASE("parameter groups of several optimizers are named as Lightning names them") {
  TwoPlayers module;
  Training training(module, 0);
  const auto groups = training.param_groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].name() == "lr-Adam");
  CHECK(groups[1].name() == "lr-Adam-1");
  CHECK(training.set_learning_rate(0.5, "lr-Adam-1"));
  CHECK(training.learning_rates() == std::vector<double>{1e-2, 0.5});
}

TEST_CASE("what is toggled off cannot be frozen, and takes gradients again after an exception") {
  TwoPlayers module;
  TinyData data;
  const auto options = two_epochs();
  FitRun loop(module, data.train_dataloader(), nullptr, options);
  RecordingSink sink;
  sink.asked.set(Event::kBackwardEnded);
  SUBCASE("frozen") {
    sink.decide = [](const Event&) {
      Decision decision{"freezer", "Freezer", {}};
      decision.command.mutable_set_frozen()->set_frozen(true);
      decision.command.mutable_set_frozen()->add_parameters("second.bias");
      return std::vector<Decision>{decision};
    };
    loop.run(sink, RunStarted());
    std::vector<std::string> refusals;
    bool applied = false;
    for (const auto& event : sink.events) {
      if (event->has_command_refused() && !applied) {
        refusals.push_back(event->command_refused().reason());
      }
      applied = applied || event->has_command_applied();
    }
    CHECK(refusals == std::vector<std::string>{
                          "toggle() decides here which parameters take a gradient; command it after the batch"});
    CHECK(applied);
    CHECK_FALSE(module.named_parameters()["second.bias"].requires_grad());
  }
  SUBCASE("exception") {
    sink.decide = [](const Event&) -> std::vector<Decision> { throw std::runtime_error("in the middle"); };
    CHECK_THROWS_WITH(loop.run(sink, RunStarted()), "in the middle");
    for (const auto& parameter : module.parameters()) {
      CHECK(parameter.requires_grad());
    }
  }
}

TEST_CASE("a schedule is advanced by the module alone") {
  TwoPlayers module;
  TinyData data;
  const auto options = two_epochs();
  FitRun loop(module, data.train_dataloader(), nullptr, options);
  RecordingSink sink;
  loop.run(sink, RunStarted());
  CHECK(loop.training().learning_rates()[0] == doctest::Approx(1e-2 * std::pow(0.9, 8)));
  CHECK(loop.training().learning_rates()[1] == 1e-2);
}

TEST_CASE("a run with two optimizers goes on bit for bit from after any batch") {
  const auto options = two_epochs();
  TinyData data;
  torch::manual_seed(1);
  TwoPlayers whole;
  FitRun loop(whole, data.train_dataloader(), nullptr, options);
  RecordingSink sink;
  sink.asked.set(Event::kTrainBatchEnded);
  sink.decide = [](const Event&) {
    Decision decision{"saver", "Saver", {}};
    decision.command.mutable_save_checkpoint()->set_path("x.ckpt");
    return std::vector<Decision>{decision};
  };
  loop.run(sink, RunStarted());
  REQUIRE(sink.snapshots.size() == 8);
  for (const auto& snapshot : sink.snapshots) {
    TwoPlayers module;
    FitRun rest(module, data.train_dataloader(), nullptr, options);
    rest.restore(*snapshot);
    RunResumed resumed;
    resumed.set_checkpoint("x.ckpt");
    RecordingSink quiet;
    rest.run(quiet, resumed);
    CHECK(weights_of(module) == weights_of(whole));
    CHECK(rest.training().loop().global_step() == loop.training().loop().global_step());
    CHECK(rest.training().learning_rates() == loop.training().learning_rates());
  }
}

TEST_CASE("several optimizers need manual optimisation, and manual optimisation no options for automatic") {
  ScriptedData data({});
  const auto error = [&](ModuleScript script, const TrainerOptions& options) {
    ScriptedModule module(std::move(script));
    try {
      FitRun(module, data.train_dataloader(), nullptr, options);
    } catch (const ConfigError& caught) {
      return std::string(caught.what());
    }
    return std::string("none");
  };
  CHECK(error({.optimizers = 2}, two_epochs()) ==
        "configure_optimizers: gave 2 optimizers; automatic optimisation takes exactly one; for several, override "
        "automatic_optimization to be false and step them in training_step");
  auto clipped = two_epochs();
  clipped.gradient_clip_val = 1.0;
  CHECK(error({.manual = true}, clipped).starts_with("trainer: 'gradient_clip_val' is for automatic optimisation"));
  auto accumulated = two_epochs();
  accumulated.accumulate_grad_batches = 2;
  CHECK(error({.manual = true}, accumulated).starts_with("trainer: 'accumulate_grad_batches' is for automatic"));
  CHECK(error({.optimizers = 2, .manual = true}, two_epochs()) == "none");
}

TEST_CASE("optimizer() and manual_backward() are for manual optimisation, in training_step") {
  ScriptedModule module({.manual = true});
  CHECK_THROWS_AS(module.optimizer(), ConfigError);
  CHECK_THROWS_AS(module.manual_backward(torch::ones({})), ConfigError);
  class OutOfRange : public TwoPlayers {
   public:
    at::Tensor training_step(const Batch& /*batch*/, int64_t /*batch_index*/) override {
      optimizer(2);
      return {};
    }
  } wrong;
  TinyData data;
  const auto options = two_epochs();
  FitRun loop(wrong, data.train_dataloader(), nullptr, options);
  RecordingSink sink;
  CHECK_THROWS_WITH_AS(loop.run(sink, RunStarted()), "optimizer(2): configure_optimizers gave 2", ConfigError);
}
