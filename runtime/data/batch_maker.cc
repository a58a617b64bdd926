#include "troupe/runtime/data/batch_maker.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <exception>
#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"

namespace troupe {
namespace {

SampleOrder order_of_epoch(const Dataset& dataset, const DataLoaderOptions& options, int64_t epoch) {
  return {dataset.size(), options.shuffle, options.seed, epoch, options.rank, options.world_size};
}

std::string describe_batch(int64_t epoch, int64_t batch, const std::vector<int64_t>& indices) {
  constexpr size_t kIndicesShown = 8;
  std::string text = "batch " + std::to_string(batch) + " of epoch " + std::to_string(epoch) + " (samples";
  for (size_t i = 0; i < std::min(kIndicesShown, indices.size()); ++i) {
    text += (i == 0 ? " " : ", ") + std::to_string(indices[i]);
  }
  return text + (indices.size() > kIndicesShown ? ", ...)" : ")");
}

}  // namespace

BatchMaker::BatchMaker(std::shared_ptr<const Dataset> dataset, const DataLoaderOptions& options)
    : dataset_(std::move(dataset)), options_(options), order_(order_of_epoch(*dataset_, options_, epoch_)) {
  randomness_.set_epoch(options_.seed, epoch_);
}

int64_t BatchMaker::batches() const {
  return (order_.size() + (options_.drop_last ? 0 : options_.batch_size - 1)) / options_.batch_size;
}

void BatchMaker::begin_epoch(int64_t epoch) {
  if (epoch != epoch_) {
    epoch_ = epoch;
    order_ = order_of_epoch(*dataset_, options_, epoch);
    randomness_.set_epoch(options_.seed, epoch);
  }
}

Batch BatchMaker::make(int64_t epoch, int64_t batch) {
  begin_epoch(epoch);
  const int64_t first = batch * options_.batch_size;
  const int64_t end = std::min(first + options_.batch_size, order_.size());
  indices_.clear();
  for (int64_t k = first; k < end; ++k) {
    indices_.push_back(order_(k));
  }
  const c10::AutoGradMode no_grad(false);
  try {
    return dataset_->get_batch(indices_, randomness_);
  } catch (const DataError&) {
    throw;
  } catch (...) {
    std::throw_with_nested(
        DataError("dataset: " + describe_batch(epoch, batch, indices_) + ": " + current_exception_text()));
  }
}

}  // namespace troupe
