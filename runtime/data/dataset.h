#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "troupe/runtime/data/batch.h"

namespace troupe {

/// Where the random numbers of one epoch's samples come from: a stream for each sample, a pure function of (seed,
/// epoch, index), so that augmentation depends neither on the order of the samples nor on the thread that makes them.
/// For one thread.
class BatchRandomness {
 public:
  /// Streams of epoch 0 under seed 0, from a generator of its own.
  BatchRandomness();

  /// From here on the streams are those of `epoch` under `seed`.
  void set_epoch(uint64_t seed, int64_t epoch);
  /// The generator at the start of the stream of the sample at dataset index `index`. One CPU generator serves all
  /// samples: the next call reseeds it. (LibTorch's CPU generator takes 32 bits of a seed: two samples in 2^32 pairs
  /// share a stream.)
  at::Generator& generator(int64_t index);

 private:
  at::Generator generator_;
  uint64_t seed_ = 0;
  uint64_t epoch_ = 0;
};

/// Samples by index. Const methods are called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Number of samples; must not change while a loader uses the dataset.
  virtual int64_t size() const = 0;
  /// The sample at `index` in [0, size()). All its randomness is drawn from `generator`, never from the default one. It
  /// may throw anything; the loader reports it as DataError with the index and the text.
  virtual Example get(int64_t index, at::Generator& generator) const = 0;
  /// The samples at `indices`, in that order, as one batch. This one stacks what get() gives along a new dimension 0.
  /// Throws DataError for a sample that failed or has another shape or dtype than the first.
  virtual Batch get_batch(std::span<const int64_t> indices, BatchRandomness& randomness) const;
};

/// The samples of `dataset` at `indices`, in that order; sample k draws from the stream of indices[k], as it would in
/// `dataset`. Throws ConfigError for an index outside the dataset.
std::shared_ptr<const Dataset> subset(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> indices);

}  // namespace troupe
