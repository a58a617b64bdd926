#pragma once

#include <cstdint>
#include <memory>

#include "troupe/runtime/data/batch.h"
#include "troupe/runtime/data/dataset.h"

namespace troupe {

/// The batches of one stage, in an order that is a pure function of the epoch, so that a position is all there is to
/// save. Called from the loop's thread only.
class DataLoader {
 public:
  virtual ~DataLoader() = default;

  /// What batches() says of data whose length is not known before its end.
  static constexpr int64_t kUnknown = -1;

  /// Batches that one epoch has on this rank, or kUnknown.
  virtual int64_t batches() const = 0;
  /// Whether the epoch has no batch left. Asked only where batches() is kUnknown, before every batch and after the
  /// last; it may have to fetch the next one, and so block. Throws as next() does.
  virtual bool at_end() { return false; }
  /// The next call of next() gives batch `first_batch` of `epoch` (both counted from 0). O(1), and allowed at any time,
  /// also in the middle of another epoch; first_batch == batches() stands for the end. Throws ConfigError for any other
  /// place.
  virtual void begin(int64_t epoch, int64_t first_batch) = 0;
  /// The batch at the position, which moves on by one, also when this throws. Without begin(), the first is batch 0 of
  /// epoch 0. Throws std::out_of_range past the last batch, and DataError if the dataset failed.
  virtual Batch next() = 0;
  /// From the next begin() on samples come in the dataset's order. False when they do already, or when the loader
  /// cannot change its order.
  virtual bool disable_shuffle() { return false; }

  /// Samples of a full batch on this rank; 0 where the class does not say.
  virtual int64_t batch_size() const { return 0; }
  /// Another loader of the same data with a position of its own, whose batches have `batch_size` samples, or are the
  /// same ones for 0. Null where the class cannot make one: then there are no trials, or no other batch size, in a fit
  /// with it. Throws ConfigError for a size that leaves no batch.
  virtual std::shared_ptr<DataLoader> another(int64_t /*batch_size*/) const { return nullptr; }
};

/// How a dataset is cut into batches. The names are those of torch.utils.data.DataLoader and DistributedSampler.
struct DataLoaderOptions {
  int64_t batch_size = 1;  ///< Samples in a batch on this rank.
  bool drop_last = false;  ///< Leave out the last batch if it is smaller than the others.
  int num_workers = 0;     ///< Threads that make batches ahead of time; 0: next() makes them. The batches are the same.
  int prefetch_factor = 2;  ///< At most num_workers * prefetch_factor batches are ready or in the making.
  int rank = 0;          ///< Which share of every epoch this loader gives: sample_order.h says which samples these are.
  uint64_t seed = 0;     ///< Of order and augmentation; the same on every rank.
  bool shuffle = false;  ///< A new order in every epoch, a pure function of (seed, epoch, size of the dataset).
  int world_size = 1;    ///< Number of shares.
};

/// A loader over `dataset`, which it keeps alive. With workers, dataset->get_batch() runs on several threads at once,
/// named "troupe-loader-K", with gradients off and one intra-op thread each; they start with the first begin() or
/// next() and end with the loader. The default generator is never drawn from. Throws ConfigError for options that make
/// no sense, for an empty dataset, and when drop_last leaves no batch.
std::shared_ptr<DataLoader> make_data_loader(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options);

}  // namespace troupe
