#include "troupe/runtime/loop/fit_data.h"

#include <algorithm>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {

FitData::FitData(std::shared_ptr<DataLoader> train, DataLoaders validation, const TrainerOptions& options)
    : train_(std::move(train)),
      validation_(std::move(validation)),
      options_(options),
      limits_(limits_with(*train_)),
      first_limits_(limits_),
      first_batch_size_(static_cast<uint32_t>(train_->batch_size())) {}

LoopLimits FitData::limits_with(const DataLoader& train) const {
  std::vector<int64_t> validation;
  for (const auto& loader : validation_) {
    validation.push_back(loader->batches());
  }
  return loop_limits(options_, train.batches(), validation);
}

bool FitData::validation_ends_by_itself() const {
  return std::any_of(validation_.begin(), validation_.end(),
                     [](const auto& loader) { return loader->batches() == DataLoader::kUnknown; });
}

void FitData::set_batch_size(uint32_t samples) {
  if (samples == 0 || samples == train_->batch_size()) {
    return;
  }
  auto loader = train_->another(samples);
  if (loader == nullptr) {
    throw ConfigError("the run goes on with batches of " + std::to_string(samples) +
                      " samples, as commanded, but the train loader cannot make batches of another size");
  }
  train_ = std::move(loader);
  limits_ = limits_with(*train_);
}

std::string FitData::batch_size_refusal(uint32_t samples) const {
  if (samples < 1) {
    return "a batch size must be at least 1";
  }
  try {
    const auto loader = train_->another(samples);
    if (loader == nullptr) {
      return "the train loader cannot make batches of another size";
    }
    limits_with(*loader);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

}  // namespace troupe
