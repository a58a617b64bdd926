#include "callbacks/builtin_callbacks.h"

#include <nlohmann/json.hpp>

#include "callbacks/csv_logger.h"
#include "callbacks/early_stopping.h"
#include "callbacks/learning_rate_monitor.h"
#include "callbacks/model_checkpoint.h"
#include "callbacks/model_summary.h"
#include "callbacks/progress_bar.h"
#include "callbacks/timer.h"

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
