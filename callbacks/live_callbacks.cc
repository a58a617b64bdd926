#include "troupe/callbacks/live_callbacks.h"

#include <nlohmann/json.hpp>

#include "troupe/callbacks/averaging/ema_weight_averaging.h"
#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"
#include "troupe/callbacks/finetuning/backbone_finetuning.h"
#include "troupe/callbacks/finetuning/model_pruning.h"

namespace troupe {

void register_live_callbacks(CallbackRegistry& registry) {
  registry.register_callback<BackboneFinetuning, BackboneFinetuningOptions>("BackboneFinetuning");
  registry.register_callback<EMAWeightAveraging, EMAWeightAveragingOptions>("EMAWeightAveraging");
  registry.register_callback<ModelPruning, ModelPruningOptions>("ModelPruning");
  registry.register_callback<StochasticWeightAveraging, StochasticWeightAveragingOptions>("StochasticWeightAveraging");
}

}  // namespace troupe
