#include "troupe/callbacks/live_callbacks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"

using namespace troupe;

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
