#pragma once

#include <cstdint>

#include "troupe/runtime/base/permutation.h"

namespace troupe {

/// Which sample comes when: what one rank sees in one epoch, as a pure function of its arguments, in O(1) time and
/// memory a sample. With `order` the dataset's order, or its permutation for (seed, epoch), sample k of rank r is
/// order[(k * world_size + r) mod size], as in torch.utils.data.DistributedSampler: every rank gets ceil(size /
/// world_size) samples, so the last ones of some ranks may be the epoch's first once more, and together the ranks see
/// every sample.
class SampleOrder {
 public:
  /// 0 <= rank < world_size, size >= 1.
  SampleOrder(int64_t size, bool shuffle, uint64_t seed, int64_t epoch, int rank, int world_size);

  /// Samples of this rank.
  int64_t size() const { return (permutation_.size() + world_size_ - 1) / world_size_; }
  /// The dataset index of this rank's sample `k` in [0, size()). Any thread.
  int64_t operator()(int64_t k) const;

 private:
  Permutation permutation_;
  bool shuffle_;
  int rank_;
  int world_size_;
};

}  // namespace troupe
