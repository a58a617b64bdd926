#include "troupe/callbacks/live_callbacks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <concepts>
#include <nlohmann/json.hpp>

#include "troupe/callbacks/guarding/nan_guard.h"
#include "troupe/callbacks/logging/prediction_writer.h"
#include "troupe/callbacks/monitoring/dead_unit_monitor.h"
#include "troupe/callbacks/monitoring/gradient_monitor.h"
#include "troupe/callbacks/tuning/batch_size_finder.h"
#include "troupe/callbacks/tuning/learning_rate_finder.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

// A callback that failed is replaced by a pristine copy.
static_assert(std::copyable<BatchSizeFinder> && std::copyable<DeadUnitMonitor> && std::copyable<GradientMonitor> &&
              std::copyable<LearningRateFinder> && std::copyable<NanGuard> && std::copyable<PredictionWriter>);

namespace {

CallbackRegistry live_registry() {
  CallbackRegistry registry;
  register_live_callbacks(registry);
  return registry;
}

}  // namespace

TEST_CASE("every callback that works on the live module can be made by its name") {
  const CallbackRegistry registry = live_registry();
  for (const char* type : {"BatchSizeFinder", "DeadUnitMonitor", "GradientMonitor", "LearningRateFinder", "NanGuard",
                           "PredictionWriter"}) {
    CAPTURE(type);
    CHECK(registry.make_callback({{"type", type}})->info().type == type);
  }
}

TEST_CASE("options of callbacks that work on the live module are read from JSON") {
  const CallbackRegistry registry = live_registry();
  CHECK_NOTHROW(
      registry.make_callback({{"type", "LearningRateFinder"}, {"mode", "linear"}, {"early_stop_threshold", nullptr}}));
  CHECK_THROWS_AS(registry.make_callback({{"type", "LearningRateFinder"}, {"mode", "cubic"}}), ConfigError);
  CHECK_NOTHROW(registry.make_callback({{"type", "BatchSizeFinder"}, {"mode", "binsearch"}, {"margin", 0.1}}));
  CHECK_NOTHROW(registry.make_callback({{"type", "NanGuard"}, {"action", "skip_step"}}));
  CHECK_THROWS_AS(registry.make_callback({{"type", "NanGuard"}, {"action", "roll_back"}}), ConfigError);
  CHECK_NOTHROW(registry.make_callback(
      {{"type", "PredictionWriter"}, {"write_interval", "batch_and_epoch"}, {"format", "torch"}}));
}

TEST_CASE("every built-in callback that works on the live module can be made by its name") {
  CallbackRegistry registry;
  register_live_callbacks(registry);
  const auto types = registry.types();
  for (const char* type : {"BackboneFinetuning", "EMAWeightAveraging", "ModelPruning", "StochasticWeightAveraging"}) {
    CHECK(std::count(types.begin(), types.end(), type) == 1);
    nlohmann::json config{{"type", type}};
    if (config["type"] == "StochasticWeightAveraging") {
      config["swa_lrs"] = {0.1};
      config["swa_epoch_start"] = 3;
    }
    const auto callback = registry.make_callback(config);
    CHECK(callback->info().type == type);
    CHECK(callback->info().lives.any());
    CHECK(callback->info().stateful);
  }
}

TEST_CASE("options of callbacks that work on the live module are read from JSON, and wrong ones are refused") {
  CallbackRegistry registry;
  register_live_callbacks(registry);
  CHECK_NOTHROW(registry.make_callback({{"type", "BackboneFinetuning"}, {"lambda", 1.5}, {"backbone", "encoder"}}));
  CHECK_NOTHROW(
      registry.make_callback({{"type", "ModelPruning"}, {"amounts", {0.5, 3}}, {"pruning_fn", "l1_unstructured"}}));
  CHECK_THROWS_AS(registry.make_callback({{"type", "ModelPruning"}, {"pruning_fn", "l2"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "EMAWeightAveraging"}, {"decay", 2}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "StochasticWeightAveraging"}}), ConfigError);
}
