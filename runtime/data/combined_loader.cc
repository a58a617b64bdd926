#include "troupe/runtime/data/combined_loader.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// The loaders with other batches, or the same for 0; empty where one of them cannot.
DataLoaders others(const DataLoaders& loaders, int64_t batch_size) {
  DataLoaders result;
  for (const auto& loader : loaders) {
    auto other = loader->another(batch_size);
    if (other == nullptr) {
      return {};
    }
    result.push_back(std::move(other));
  }
  return result;
}

void require_place(int64_t epoch, int64_t batch, int64_t batches) {
  if (epoch < 0 || batch < 0 || batch > batches) {
    throw ConfigError("combined loaders: there is no batch " + std::to_string(batch) + " of epoch " +
                      std::to_string(epoch) + "; an epoch has " + std::to_string(batches) + " batches");
  }
}

/// What is the same in every mode. A position of its own: where the next batch is.
class CombinedLoader : public DataLoader {
 public:
  CombinedLoader(DataLoaders loaders, CombineMode mode, int64_t batches)
      : loaders_(std::move(loaders)), mode_(mode), batches_(batches) {}

  int64_t batches() const override { return batches_; }
  int64_t batch_size() const override { return loaders_.front()->batch_size(); }
  bool disable_shuffle() override {
    bool any = false;
    for (const auto& loader : loaders_) {
      any = loader->disable_shuffle() || any;
    }
    return any;
  }
  std::shared_ptr<DataLoader> another(int64_t batch_size) const override {
    auto loaders = others(loaders_, batch_size);
    return loaders.empty() ? nullptr : combine_loaders(std::move(loaders), mode_);
  }

  void begin(int64_t epoch, int64_t first_batch) override {
    require_place(epoch, first_batch, batches_);
    epoch_ = epoch;
    position_ = first_batch;
    move_to(epoch, first_batch);
  }
  Batch next() override {
    if (position_ < 0) {
      begin(0, 0);
    }
    if (position_ >= batches_) {
      throw std::out_of_range("combined loaders: next() past the last of " + std::to_string(batches_) + " batches");
    }
    const int64_t batch = position_++;
    return batch_at(epoch_, batch);
  }

 protected:
  DataLoaders loaders_;

 private:
  /// Has the loaders stand before this batch.
  virtual void move_to(int64_t epoch, int64_t batch) = 0;
  /// The batch that the loaders stand before.
  virtual Batch batch_at(int64_t epoch, int64_t batch) = 0;

  CombineMode mode_;
  int64_t batches_;
  int64_t epoch_ = 0;
  int64_t position_ = -1;  // Before begin().
};

class SequentialLoader final : public CombinedLoader {
 public:
  explicit SequentialLoader(DataLoaders loaders)
      : CombinedLoader(loaders, CombineMode::kSequential,
                       std::accumulate(loaders.begin(), loaders.end(), int64_t{0},
                                       [](int64_t sum, const auto& loader) { return sum + loader->batches(); })) {}

 private:
  void move_to(int64_t epoch, int64_t batch) override {
    for (place_ = 0; place_ + 1 < loaders_.size() && batch >= loaders_[place_]->batches(); ++place_) {
      batch -= loaders_[place_]->batches();
    }
    left_ = loaders_[place_]->batches() - batch;
    loaders_[place_]->begin(epoch, batch);
  }
  Batch batch_at(int64_t epoch, int64_t /*batch*/) override {
    while (left_ == 0) {
      loaders_[++place_]->begin(epoch, 0);
      left_ = loaders_[place_]->batches();
    }
    --left_;
    return loaders_[place_]->next();
  }

  size_t place_ = 0;
  int64_t left_ = 0;  // Batches of the loader at the place.
};

class ParallelLoader final : public CombinedLoader {
 public:
  ParallelLoader(DataLoaders loaders, CombineMode mode, int64_t batches)
      : CombinedLoader(std::move(loaders), mode, batches) {}

 private:
  void move_to(int64_t epoch, int64_t batch) override {
    for (const auto& loader : loaders_) {
      begin_at(*loader, epoch, batch);
    }
  }
  Batch batch_at(int64_t epoch, int64_t batch) override {
    Batch combined;
    for (const auto& loader : loaders_) {
      if (batch > 0 && batch % loader->batches() == 0) {
        begin_at(*loader, epoch, batch);
      }
      Batch next = loader->next();
      if (loader == loaders_.front()) {
        combined = std::move(next);
        continue;
      }
      combined.more.push_back(std::move(next.data));
      combined.more.push_back(std::move(next.target));
      std::move(next.more.begin(), next.more.end(), std::back_inserter(combined.more));
    }
    return combined;
  }
  /// Where the loader stands before a batch of all of them.
  void begin_at(DataLoader& loader, int64_t epoch, int64_t batch) const {
    const int64_t rounds = (batches() + loader.batches() - 1) / loader.batches();
    const int64_t round = std::min(batch / loader.batches(), rounds - 1);
    loader.begin(epoch * rounds + round, batch - round * loader.batches());
  }
};

}  // namespace

std::shared_ptr<DataLoader> combine_loaders(DataLoaders loaders, CombineMode mode) {
  if (loaders.empty()) {
    throw ConfigError("combine_loaders: no loader was given");
  }
  for (const auto& loader : loaders) {
    if (loader == nullptr || loader->batches() < 1) {
      throw ConfigError(loader == nullptr ? "combine_loaders: a loader is null"
                                          : "combine_loaders: a loader has no batch, or does not know how many");
    }
  }
  if (mode == CombineMode::kSequential) {
    return std::make_shared<SequentialLoader>(std::move(loaders));
  }
  const auto [shortest, longest] = std::minmax_element(
      loaders.begin(), loaders.end(), [](const auto& a, const auto& b) { return a->batches() < b->batches(); });
  const int64_t batches = (mode == CombineMode::kMinSize ? *shortest : *longest)->batches();
  return std::make_shared<ParallelLoader>(std::move(loaders), mode, batches);
}

}  // namespace troupe
