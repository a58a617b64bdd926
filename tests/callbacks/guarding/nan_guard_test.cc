#include "troupe/callbacks/guarding/nan_guard.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/support/small_data.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"

using namespace troupe;

namespace {

constexpr float kBad = std::numeric_limits<float>::quiet_NaN();

/// Poisons something in chosen batches of the run, counted from 0.
class PoisonedModule : public SmallModule {
 public:
  enum class Poison { kLoss, kHeadGradient, kParameter, kInfiniteLossAlone };
  PoisonedModule(Poison poison, std::set<int64_t> batches) : poison_(poison), batches_(std::move(batches)) {}

  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    const at::Tensor loss = SmallModule::training_step(batch, batch_index);
    if (is_poisoned() && poison_ == Poison::kLoss) {
      return loss * kBad;
    }
    if (is_poisoned() && poison_ == Poison::kInfiniteLossAlone) {
      return loss + std::numeric_limits<float>::infinity();
    }
    return loss;
  }
  void on_after_backward() override {
    if (is_poisoned() && poison_ == Poison::kHeadGradient) {
      named_parameters()["head.bias"].mutable_grad().fill_(std::numeric_limits<float>::infinity());
    }
  }
  void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) override {
    if (is_poisoned() && poison_ == Poison::kParameter) {
      const torch::NoGradGuard no_grad;
      named_parameters()["backbone.0.bias"][1] = kBad;
    }
    ++batch_;
    weights.push_back(weights_of(*this));
  }

  std::vector<std::vector<float>> weights;  ///< After each batch.

 private:
  bool is_poisoned() const { return batches_.contains(batch_); }
  Poison poison_;
  std::set<int64_t> batches_;
  int64_t batch_ = 0;
};

using Poison = PoisonedModule::Poison;

struct Guarded {
  RunResult result;
  int64_t skipped = 0;
  std::vector<EventValues> found;  ///< What the NonFiniteFound events say.
};

Guarded guard(PoisonedModule& module, const std::filesystem::path& run_dir, const NanGuardOptions& options,
              TrainerOptions trainer_options = {}, const std::string& resume = {}) {
  trainer_options.run_dir = run_dir.string();
  trainer_options.enable_progress_bar = false;
  trainer_options.enable_model_summary = false;
  torch::manual_seed(5);
  SmallData data;
  Trainer trainer(trainer_options);
  const auto added = trainer.add(NanGuard(options));
  Guarded guarded{trainer.fit(module, data, resume), added.get().skipped_steps(), {}};
  for (const auto& event : events_of<UserEvent>(run_dir)) {
    CHECK(event.user_event().type() == "NonFiniteFound");
    guarded.found.push_back(event_values(event.user_event()));
  }
  return guarded;
}

std::string text_of(const EventValues& values, const std::string& name) {
  return std::get<std::string>(values.at(name));
}

TrainerOptions epochs(int64_t number) {
  TrainerOptions options;
  options.max_epochs = number;
  return options;
}

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace

TEST_CASE("a step with gradients that are not finite is not made, and the run stops with sound parameters") {
  const TemporaryFolder folder;
  PoisonedModule module(Poison::kLoss, {3});
  const auto guarded = guard(module, folder.path(), {}, epochs(2));
  CHECK(guarded.result.status == v1::RUN_STATUS_STOPPED);
  CHECK(guarded.result.stopped_by == "NanGuard");
  CHECK(guarded.result.stop_reason == "gradient backbone.0.weight is not finite");
  REQUIRE(module.weights.size() == 4);
  CHECK(module.weights[3] == module.weights[2]);
  CHECK(module.weights[2] != module.weights[1]);
  CHECK(all_finite(module.weights[3]));
  REQUIRE(guarded.found.size() == 1);  // The loss is not told of once more.
  CHECK(text_of(guarded.found[0], "kind") == "gradient");
  CHECK(text_of(guarded.found[0], "module") == "backbone.0");
  CHECK(text_of(guarded.found[0], "tensor") == "backbone.0.weight");
  CHECK(text_of(guarded.found[0], "action") == "stop");
  CHECK(std::get<int64_t>(guarded.found[0].at("tensors")) == 6);
}

TEST_CASE("skip_step leaves the bad steps out and trains on") {
  const TemporaryFolder folder;
  PoisonedModule module(Poison::kHeadGradient, {1, 4});
  const auto guarded = guard(module, folder.path(), {.action = NanAction::kSkipStep}, epochs(1));
  CHECK(guarded.result.status == v1::RUN_STATUS_FINISHED);
  CHECK(guarded.skipped == 2);
  REQUIRE(module.weights.size() == 6);
  CHECK(module.weights[1] == module.weights[0]);
  CHECK(module.weights[2] != module.weights[1]);
  CHECK(module.weights[4] == module.weights[3]);
  CHECK(all_finite(module.weights[5]));
  CHECK(guarded.result.state.global_step() == 6);
  REQUIRE(guarded.found.size() == 2);
  CHECK(text_of(guarded.found[1], "tensor") == "head.bias");
  CHECK(text_of(guarded.found[1], "action") == "skip_step");
  CHECK(std::get<int64_t>(guarded.found[1].at("tensors")) == 1);
}

TEST_CASE("a module whose steps are all skipped is stopped after max_consecutive_skips") {
  const TemporaryFolder folder;
  SUBCASE("in a row") {
    PoisonedModule module(Poison::kHeadGradient, {1, 2, 3, 4, 5});
    const auto guarded =
        guard(module, folder.path(), {.action = NanAction::kSkipStep, .max_consecutive_skips = 2}, epochs(2));
    CHECK(guarded.result.status == v1::RUN_STATUS_STOPPED);
    CHECK(module.weights.size() == 4);  // Batches 1 and 2 were skipped, 3 was one too many.
    CHECK(text_of(guarded.found.at(2), "action") == "stop");
  }
  SUBCASE("with sound steps between") {
    PoisonedModule module(Poison::kHeadGradient, {0, 1, 3, 4});
    const auto guarded =
        guard(module, folder.path(), {.action = NanAction::kSkipStep, .max_consecutive_skips = 2}, epochs(1));
    CHECK(guarded.result.status == v1::RUN_STATUS_FINISHED);
  }
  SUBCASE("without a limit") {
    PoisonedModule module(Poison::kHeadGradient, {0, 1, 2, 3, 4, 5});
    const auto guarded =
        guard(module, folder.path(), {.action = NanAction::kSkipStep, .max_consecutive_skips = 0}, epochs(1));
    CHECK(guarded.skipped == 6);
    CHECK(guarded.result.status == v1::RUN_STATUS_FINISHED);
  }
}

TEST_CASE("a loss alone that is not finite is told of, and stops only with the action stop") {
  const TemporaryFolder folder;
  SUBCASE("skip_step") {
    PoisonedModule module(Poison::kInfiniteLossAlone, {2});
    const auto guarded = guard(module, folder.path(), {.action = NanAction::kSkipStep}, epochs(1));
    CHECK(guarded.result.status == v1::RUN_STATUS_FINISHED);
    CHECK(module.weights[2] != module.weights[1]);  // Its gradients were sound.
    REQUIRE(guarded.found.size() == 1);
    CHECK(text_of(guarded.found[0], "kind") == "loss");
    CHECK(text_of(guarded.found[0], "action") == "none");
  }
  SUBCASE("stop") {
    PoisonedModule module(Poison::kInfiniteLossAlone, {2});
    const auto guarded = guard(module, folder.path(), {}, epochs(2));
    CHECK(guarded.result.stop_reason == "the loss is not finite");
    CHECK(module.weights.size() == 3);
  }
}

TEST_CASE("parameters that are not finite stop the run whatever the action, unless nobody looks") {
  const TemporaryFolder folder;
  SUBCASE("looked at") {
    PoisonedModule module(Poison::kParameter, {2});
    const auto guarded = guard(module, folder.path(), {.action = NanAction::kSkipStep}, epochs(2));
    CHECK(guarded.result.stop_reason == "parameter backbone.0.bias is not finite");
    CHECK(text_of(guarded.found.at(0), "kind") == "parameter");
    CHECK(module.weights.size() == 3);
  }
  SUBCASE("not looked at") {
    PoisonedModule module(Poison::kParameter, {5});
    const auto guarded = guard(module, folder.path(), {.check_parameters = false}, epochs(1));
    CHECK(guarded.found.empty());
  }
}

TEST_CASE("running means that are not finite are found in the buffers") {
  const TemporaryFolder folder;
  class BadBuffer : public PoisonedModule {
   public:
    BadBuffer() : PoisonedModule(Poison::kLoss, {}) {}
    void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) override {
      named_buffers()["backbone.1.running_mean"].fill_(kBad);
    }
  } module;
  const auto guarded = guard(module, folder.path(), {.action = NanAction::kSkipStep}, epochs(2));
  CHECK(guarded.result.stop_reason == "buffer backbone.1.running_mean is not finite");
}

TEST_CASE("only every n-th step is looked at") {
  const TemporaryFolder folder;
  PoisonedModule module(Poison::kHeadGradient, {0, 3});
  const auto guarded =
      guard(module, folder.path(), {.action = NanAction::kSkipStep, .check_parameters = false, .every_n_steps = 4},
            epochs(1));
  // The step of batch 0 poisons head.bias, and with it every gradient after it; batch 3 makes the fourth step.
  CHECK(guarded.skipped == 1);
  CHECK_FALSE(all_finite(module.weights[0]));
}

TEST_CASE("a guard that finds nothing leaves the training as it is") {
  const TemporaryFolder folder;
  const auto weights = [&](bool guarded) {
    torch::manual_seed(4);
    PoisonedModule module(Poison::kLoss, {});
    SmallData data;
    Trainer trainer(tiny_options(folder.path() / (guarded ? "guarded" : "plain")));
    if (guarded) {
      trainer.add(NanGuard());
    }
    trainer.fit(module, data);
    return module.weights;
  };
  CHECK(weights(true) == weights(false));
  CHECK(events_of<UserEvent>(folder.path() / "guarded").empty());
}

TEST_CASE("a vote about the parameters is cast again after a resume, one about gradients only with the same action") {
  const TemporaryFolder folder;
  const auto resumed = [&](Poison poison, const NanGuardOptions& then) {
    const auto run_dir = folder.path() / std::to_string(static_cast<int>(poison));
    PoisonedModule module(poison, {2});
    guard(module, run_dir, {}, epochs(3));
    PoisonedModule again(poison, {});
    return guard(again, run_dir, then, epochs(3), "last").result;
  };
  SUBCASE("gradients, the same action") {
    CHECK(resumed(Poison::kHeadGradient, {}).stop_reason == "gradient head.bias is not finite");
  }
  SUBCASE("gradients, another action") {
    CHECK(resumed(Poison::kHeadGradient, {.action = NanAction::kSkipStep}).status == v1::RUN_STATUS_FINISHED);
  }
  SUBCASE("parameters") {
    CHECK(resumed(Poison::kParameter, {.action = NanAction::kSkipStep}).stop_reason ==
          "parameter backbone.0.bias is not finite");
  }
}

TEST_CASE("options of a NanGuard out of range are refused") {
  CHECK_THROWS_AS(NanGuard({.every_n_steps = 0}), ConfigError);
  CHECK_THROWS_AS(NanGuard({.max_consecutive_skips = -1}), ConfigError);
}
