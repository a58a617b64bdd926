#include "troupe/callbacks/tuning/batch_size_search.h"

#include <algorithm>

namespace troupe {

std::optional<int64_t> BatchSizeSearch::next() const {
  const auto size = [](int64_t samples) { return samples > 0 ? std::optional(samples) : std::nullopt; };
  if (tried_ == bounds_.trials) {
    return std::nullopt;
  }
  if (fitted_ == 0) {
    return failed_ == 0 ? size(bounds_.first) : size(failed_ / 2);
  }
  if (failed_ == 0) {
    return fitted_ < bounds_.max ? size(std::min(fitted_ * 2, bounds_.max)) : std::nullopt;
  }
  const bool bisects = mode_ == BatchSizeMode::kBinsearch && failed_ - fitted_ > 1;
  return bisects ? size(fitted_ + (failed_ - fitted_) / 2) : std::nullopt;
}

void BatchSizeSearch::fitted(int64_t size, int64_t samples) {
  ++tried_;
  fitted_ = std::min(size, samples);
  if (samples < size) {
    bounds_.max = samples;
  }
}

void BatchSizeSearch::failed(int64_t size) {
  ++tried_;
  failed_ = size;
}

}  // namespace troupe
