#pragma once

#include <memory>
#include <string>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/options/loop_limits.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// The loaders of a fit, and how far they let it go. The train loader is exchanged for another one of the same data
/// when a command sets another batch size. Used from the loop's thread only.
class FitData {
 public:
  /// `options` must outlive it. Throws ConfigError where options and sizes do not fit.
  FitData(std::shared_ptr<DataLoader> train, DataLoaders validation, const TrainerOptions& options);

  DataLoader& train() { return *train_; }
  const DataLoader& train() const { return *train_; }
  /// Whether the train loader says only at its end how many batches it had.
  bool train_ends_by_itself() const { return train_->batches() == DataLoader::kUnknown; }
  const DataLoaders& validation() const { return validation_; }
  bool validation_ends_by_itself() const;
  /// With the train loader that there is now. The reference stays valid, and follows.
  const LoopLimits& limits() const { return limits_; }

  /// As the fit was given them.
  const LoopLimits& first_limits() const { return first_limits_; }
  uint32_t first_batch_size() const { return first_batch_size_; }

  /// Turns to batches of `samples` samples, 0 for those that there are. Throws ConfigError where the loader cannot, or
  /// where options and sizes do not fit any more.
  void set_batch_size(uint32_t samples);
  /// Why set_batch_size() would throw; empty when it would not. A command gives the size: 0 is refused.
  std::string batch_size_refusal(uint32_t samples) const;

 private:
  LoopLimits limits_with(const DataLoader& train) const;

  std::shared_ptr<DataLoader> train_;
  DataLoaders validation_;
  const TrainerOptions& options_;
  LoopLimits limits_;
  const LoopLimits first_limits_;
  const uint32_t first_batch_size_;
};

}  // namespace troupe
