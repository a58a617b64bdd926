#include "troupe/callbacks/live_callbacks.h"

#include <nlohmann/json.hpp>

#include "troupe/callbacks/averaging/ema_weight_averaging.h"
#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"
#include "troupe/callbacks/finetuning/backbone_finetuning.h"
#include "troupe/callbacks/finetuning/model_pruning.h"
#include "troupe/callbacks/guarding/nan_guard.h"
#include "troupe/callbacks/logging/prediction_writer.h"
#include "troupe/callbacks/monitoring/dead_unit_monitor.h"
#include "troupe/callbacks/monitoring/gradient_monitor.h"
#include "troupe/callbacks/tuning/batch_size_finder.h"
#include "troupe/callbacks/tuning/learning_rate_finder.h"

namespace troupe {

void register_live_callbacks(CallbackRegistry& registry) {
  registry.register_callback<BackboneFinetuning, BackboneFinetuningOptions>("BackboneFinetuning");
  registry.register_callback<BatchSizeFinder, BatchSizeFinderOptions>("BatchSizeFinder");
  registry.register_callback<DeadUnitMonitor, DeadUnitMonitorOptions>("DeadUnitMonitor");
  registry.register_callback<EMAWeightAveraging, EMAWeightAveragingOptions>("EMAWeightAveraging");
  registry.register_callback<GradientMonitor, GradientMonitorOptions>("GradientMonitor");
  registry.register_callback<LearningRateFinder, LearningRateFinderOptions>("LearningRateFinder");
  registry.register_callback<ModelPruning, ModelPruningOptions>("ModelPruning");
  registry.register_callback<NanGuard, NanGuardOptions>("NanGuard");
  registry.register_callback<PredictionWriter, PredictionWriterOptions>("PredictionWriter");
  registry.register_callback<StochasticWeightAveraging, StochasticWeightAveragingOptions>("StochasticWeightAveraging");
}

}  // namespace troupe
