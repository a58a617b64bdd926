#include "troupe/runtime/data/data_loader.h"

#include <stdexcept>
#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/batch_maker.h"
#include "troupe/runtime/data/prefetcher.h"

namespace troupe {
namespace {

void require(bool holds, const char* option, int64_t value, const std::string& allowed) {
  if (!holds) {
    throw ConfigError(std::string("DataLoader: ") + option + " = " + std::to_string(value) + ": must be " + allowed);
  }
}

void check(const Dataset* dataset, const DataLoaderOptions& options) {
  if (dataset == nullptr || dataset->size() <= 0) {
    throw ConfigError("DataLoader: the dataset has no samples");
  }
  require(options.batch_size >= 1, "batch_size", options.batch_size, "at least 1");
  require(options.num_workers >= 0, "num_workers", options.num_workers, "at least 0");
  require(options.prefetch_factor >= 1, "prefetch_factor", options.prefetch_factor, "at least 1");
  require(options.world_size >= 1, "world_size", options.world_size, "at least 1");
  require(options.rank >= 0 && options.rank < options.world_size, "rank", options.rank,
          "in [0, world_size), which is " + std::to_string(options.world_size));
}

class OrderedDataLoader final : public DataLoader {
 public:
  OrderedDataLoader(std::shared_ptr<const Dataset> dataset, const DataLoaderOptions& options)
      : dataset_(std::move(dataset)), options_(options), maker_(dataset_, options_) {}

  int64_t batches() const override { return maker_.batches(); }

  void begin(int64_t epoch, int64_t first_batch) override {
    if (epoch < 0 || first_batch < 0 || first_batch > batches()) {
      throw ConfigError("DataLoader: there is no batch " + std::to_string(first_batch) + " of epoch " +
                        std::to_string(epoch) + "; an epoch has " + std::to_string(batches()) + " batches");
    }
    epoch_ = epoch;
    position_ = first_batch;
    if (options_.num_workers > 0) {
      if (!prefetcher_) {
        prefetcher_ = std::make_unique<Prefetcher>(dataset_, options_);
      }
      prefetcher_->begin(epoch, first_batch);
    }
  }

  Batch next() override {
    if (position_ >= batches()) {
      throw std::out_of_range("DataLoader: next() past the last of " + std::to_string(batches()) +
                              " batches of epoch " + std::to_string(epoch_));
    }
    if (options_.num_workers > 0 && !prefetcher_) {
      begin(epoch_, position_);
    }
    const int64_t batch = position_++;
    return prefetcher_ ? prefetcher_->next() : maker_.make(epoch_, batch);
  }

  bool disable_shuffle() override {
    const bool shuffled = std::exchange(options_.shuffle, false);
    if (shuffled) {
      maker_ = BatchMaker(dataset_, options_);
      prefetcher_.reset();
    }
    return shuffled;
  }

  int64_t batch_size() const override { return options_.batch_size; }

  std::shared_ptr<DataLoader> another(int64_t batch_size) const override {
    DataLoaderOptions options = options_;
    options.batch_size = batch_size == 0 ? options_.batch_size : batch_size;
    return make_data_loader(dataset_, options);
  }

 private:
  std::shared_ptr<const Dataset> dataset_;
  DataLoaderOptions options_;
  BatchMaker maker_;
  std::unique_ptr<Prefetcher> prefetcher_;
  int64_t epoch_ = 0;
  int64_t position_ = 0;
};

}  // namespace

std::shared_ptr<DataLoader> make_data_loader(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options) {
  check(dataset.get(), options);
  auto loader = std::make_shared<OrderedDataLoader>(std::move(dataset), options);
  if (loader->batches() == 0) {
    throw ConfigError("DataLoader: drop_last leaves no batch: batch_size = " + std::to_string(options.batch_size) +
                      " is more than the samples of a rank");
  }
  return loader;
}

}  // namespace troupe
