#include "troupe/callbacks/builtin_callbacks.h"

#include <doctest/doctest.h>

#include <concepts>
#include <nlohmann/json.hpp>

#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/guarding/spike_detection.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"
#include "troupe/callbacks/monitoring/device_stats_monitor.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/monitoring/model_summary.h"
#include "troupe/callbacks/monitoring/throughput_monitor.h"
#include "troupe/callbacks/progress/progress_bar.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/callbacks/stopping/timer.h"
#include "troupe/callbacks/tuning/gradient_accumulation_scheduler.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

// A callback that failed is replaced by a pristine copy.
static_assert(std::copyable<CSVLogger> && std::copyable<DeviceStatsMonitor> && std::copyable<EarlyStopping> &&
              std::copyable<GradientAccumulationScheduler> && std::copyable<JSONLogger> &&
              std::copyable<LearningRateMonitor> && std::copyable<ModelCheckpoint> && std::copyable<ModelSummary> &&
              std::copyable<ProgressBar> && std::copyable<SpikeDetection> && std::copyable<TensorBoardLogger> &&
              std::copyable<ThroughputMonitor> && std::copyable<Timer>);

namespace {

CallbackRegistry builtin() {
  CallbackRegistry registry;
  register_builtin_callbacks(registry);
  return registry;
}

}  // namespace

TEST_CASE("every built-in callback can be made by its name") {
  const CallbackRegistry registry = builtin();
  CHECK(registry.types() ==
        std::vector<std::string>{"CSVLogger", "DeviceStatsMonitor", "EarlyStopping", "GradientAccumulationScheduler",
                                 "JSONLogger", "LearningRateMonitor", "ModelCheckpoint", "ModelSummary", "ProgressBar",
                                 "SpikeDetection", "TensorBoardLogger", "ThroughputMonitor", "Timer"});
  for (const auto& type : registry.types()) {
    nlohmann::json config{{"type", type}};
    if (type == "EarlyStopping" || type == "SpikeDetection") {
      config["monitor"] = "val_loss";
    }
    if (type == "GradientAccumulationScheduler") {
      config["scheduling"] = {{"0", 2}};
    }
    if (type == "Timer") {
      config["duration"] = "00:01:00:00";
    }
    CHECK(registry.make_callback(config)->info().type == type);
  }
}

TEST_CASE("options of built-in callbacks are read from JSON") {
  const CallbackRegistry registry = builtin();
  CHECK(
      registry.make_callback({{"type", "ModelCheckpoint"}, {"monitor", "val_acc"}, {"mode", "max"}, {"save_top_k", 3}})
          ->info()
          .state_key ==
      "ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
      "'train_time_interval': None}");
  CHECK_NOTHROW(registry.make_callback({{"type", "LearningRateMonitor"}, {"logging_interval", "epoch"}}));
  CHECK_NOTHROW(registry.make_callback({{"type", "EarlyStopping"},
                                        {"monitor", "a"},
                                        {"stopping_threshold", 0.5},
                                        {"check_on_train_epoch_end", nullptr}}));
}

TEST_CASE("wrong options of built-in callbacks are refused") {
  const CallbackRegistry registry = builtin();
  CHECK_THROWS_AS(registry.make_callback({{"type", "EarlyStopping"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "EarlyStopping"}, {"monitor", "a"}, {"patience", 1.5}}),
                  ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "ModelCheckpoint"}, {"save_top_k", 2}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "ModelCheckpoint"}, {"filename", "{epoch"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "LearningRateMonitor"}, {"logging_interval", "batch"}}),
                  ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "Timer"}, {"duration", "1:00:00"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "Timer"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "SpikeDetection"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "GradientAccumulationScheduler"}}), ConfigError);
  CHECK_THROWS_AS(registry.make_callback({{"type", "GradientAccumulationScheduler"}, {"scheduling", {{"0", 1.5}}}}),
                  ConfigError);
}
