#include "troupe/actors/run/fit_set_up.h"

#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/module/seed.h"

namespace troupe {

FitSetUp::FitSetUp(Module& module, DataModule& data, TrainerOptions options)
    : module_(module), data_(data), options_(std::move(options)) {}

void FitSetUp::run(const FoundCheckpoint* found) {
  seed_everything(options_.seed);  // For what the setup hooks draw; the run itself is seeded later, or restored.
  data_scope_.emplace(data_, v1::STAGE_FIT);
  if (found != nullptr && found->data.training_state) {
    data_.load_state_dict(StateDict(found->data.training_state->data_state()));
  }
  auto train = data_.train_dataloader();
  if (!train) {
    throw ConfigError("fit: the data module has no train_dataloader");
  }
  auto validation = options_.limit_val_batches.value() > 0 ? data_.val_dataloaders() : DataLoaders();
  scope_ = std::make_shared<ModuleScope>(module_, v1::STAGE_FIT, options_.device);
  fit_run_.emplace(scope_, std::move(train), std::move(validation), options_);
  fit_run_->training().set_data_state([this] { return data_.state_dict(); });
}

RunOutcome FitSetUp::fit(EventSink& sink, RunOpening opening, uint64_t elapsed_us) {
  auto outcome = fit_run_->run(sink, std::move(opening), elapsed_us);
  data_scope_->tear_down();
  return outcome;
}

}  // namespace troupe
