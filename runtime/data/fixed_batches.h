#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/data_loader.h"

namespace troupe {

/// A loader that gives the same batches over and over: batch i of every epoch is batches[i mod batches.size()]. next()
/// costs the reference counts of its tensors, so benchmarks with it measure what is around the loader.
class FixedBatches final : public DataLoader {
 public:
  /// `batches_per_epoch` 0 stands for batches.size(). Throws ConfigError for no batch at all or a negative count.
  explicit FixedBatches(std::vector<Batch> batches, int64_t batches_per_epoch = 0)
      : given_(std::move(batches)),
        batches_(batches_per_epoch == 0 ? static_cast<int64_t>(given_.size()) : batches_per_epoch) {
    if (given_.empty() || batches_ < 0) {
      throw ConfigError("FixedBatches: needs at least one batch and batches_per_epoch >= 0, not " +
                        std::to_string(batches_per_epoch));
    }
  }

  int64_t batches() const override { return batches_; }
  void begin(int64_t epoch, int64_t first_batch) override {
    if (epoch < 0 || first_batch < 0 || first_batch > batches_) {
      throw ConfigError("FixedBatches: there is no batch " + std::to_string(first_batch) + " of epoch " +
                        std::to_string(epoch) + "; an epoch has " + std::to_string(batches_) + " batches");
    }
    position_ = first_batch;
  }
  Batch next() override {
    if (position_ >= batches_) {
      throw std::out_of_range("FixedBatches: next() past the last batch of the epoch");
    }
    return given_[static_cast<size_t>(position_++) % given_.size()];
  }
  std::shared_ptr<DataLoader> another(int64_t batch_size) const override {
    return batch_size == 0 ? std::make_shared<FixedBatches>(given_, batches_) : nullptr;
  }

 private:
  std::vector<Batch> given_;
  int64_t batches_;
  int64_t position_ = 0;
};

}  // namespace troupe
