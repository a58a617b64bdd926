#include "troupe/runtime/data/sample_order.h"

#include <cassert>

#include "troupe/runtime/base/random_key.h"

namespace troupe {

SampleOrder::SampleOrder(int64_t size, bool shuffle, uint64_t seed, int64_t epoch, int rank, int world_size)
    : permutation_(size, random_key(seed, epoch)), shuffle_(shuffle), rank_(rank), world_size_(world_size) {
  assert(rank >= 0 && rank < world_size);
}

int64_t SampleOrder::operator()(int64_t k) const {
  const int64_t place = (k * world_size_ + rank_) % permutation_.size();
  return shuffle_ ? permutation_(place) : place;
}

}  // namespace troupe
