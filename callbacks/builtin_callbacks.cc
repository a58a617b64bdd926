#include "troupe/callbacks/builtin_callbacks.h"

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

namespace troupe {

void register_builtin_callbacks(CallbackRegistry& registry) {
  registry.register_callback<CSVLogger, CSVLoggerOptions>("CSVLogger");
  registry.register_callback<DeviceStatsMonitor, DeviceStatsMonitorOptions>("DeviceStatsMonitor");
  registry.register_callback<EarlyStopping, EarlyStoppingOptions>("EarlyStopping");
  registry.register_callback<GradientAccumulationScheduler, GradientAccumulationSchedulerOptions>(
      "GradientAccumulationScheduler");
  registry.register_callback<JSONLogger, JSONLoggerOptions>("JSONLogger");
  registry.register_callback<LearningRateMonitor, LearningRateMonitorOptions>("LearningRateMonitor");
  registry.register_callback<ModelCheckpoint, ModelCheckpointOptions>("ModelCheckpoint");
  registry.register_callback<ModelSummary, ModelSummaryOptions>("ModelSummary");
  registry.register_callback<ProgressBar, ProgressBarOptions>("ProgressBar");
  registry.register_callback<SpikeDetection, SpikeDetectionOptions>("SpikeDetection");
  registry.register_callback<TensorBoardLogger, TensorBoardLoggerOptions>("TensorBoardLogger");
  registry.register_callback<ThroughputMonitor, ThroughputMonitorOptions>("ThroughputMonitor");
  registry.register_callback<Timer, TimerOptions>("Timer");
}

}  // namespace troupe
