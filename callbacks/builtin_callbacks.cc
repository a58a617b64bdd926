#include "troupe/callbacks/builtin_callbacks.h"

#include <nlohmann/json.hpp>

#include "troupe/callbacks/csv_logger.h"
#include "troupe/callbacks/early_stopping.h"
#include "troupe/callbacks/learning_rate_monitor.h"
#include "troupe/callbacks/model_checkpoint.h"
#include "troupe/callbacks/model_summary.h"
#include "troupe/callbacks/progress_bar.h"
#include "troupe/callbacks/timer.h"

namespace troupe {

void register_builtin_callbacks(CallbackRegistry& registry) {
  registry.register_callback<CSVLogger, CSVLoggerOptions>("CSVLogger");
  registry.register_callback<EarlyStopping, EarlyStoppingOptions>("EarlyStopping");
  registry.register_callback<LearningRateMonitor, LearningRateMonitorOptions>("LearningRateMonitor");
  registry.register_callback<ModelCheckpoint, ModelCheckpointOptions>("ModelCheckpoint");
  registry.register_callback<ModelSummary, ModelSummaryOptions>("ModelSummary");
  registry.register_callback<ProgressBar, ProgressBarOptions>("ProgressBar");
  registry.register_callback<Timer, TimerOptions>("Timer");
}

}  // namespace troupe
