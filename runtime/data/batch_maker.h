#pragma once

#include <memory>
#include <vector>

#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/data/sample_order.h"

namespace troupe {

/// Makes any batch of any epoch of a loader, for one thread; each worker has its own.
class BatchMaker {
 public:
  /// The options have been checked; the dataset is not empty.
  BatchMaker(std::shared_ptr<const Dataset> dataset, const DataLoaderOptions& options);

  /// Batches in an epoch.
  int64_t batches() const;
  /// Batch `batch` in [0, batches()) of `epoch`, made with gradients off. Throws DataError if the dataset failed.
  Batch make(int64_t epoch, int64_t batch);

 private:
  void begin_epoch(int64_t epoch);

  std::shared_ptr<const Dataset> dataset_;
  DataLoaderOptions options_;
  int64_t epoch_ = 0;
  SampleOrder order_;
  BatchRandomness randomness_;
  std::vector<int64_t> indices_;
};

}  // namespace troupe
