#pragma once

#include <cstdint>
#include <optional>

namespace troupe {

/// How a search for a batch size goes on when a size has failed.
enum class BatchSizeMode {
  kPower,      ///< Sizes are doubled; the last one before a failure is the result.
  kBinsearch,  ///< Then the sizes between are bisected.
};

/// Which batch sizes to try, one after the other, to find the largest that works: arithmetic, without any training.
/// From the first size on they are doubled while they fit, up to the largest one allowed; while none has fitted they
/// are halved. As Lightning's BatchSizeFinder searches, but that every size that it gives has been tried.
class BatchSizeSearch {
 public:
  struct Bounds {
    int64_t first = 2;    ///< Samples of the first try; at least 1.
    int64_t max = 8192;   ///< Largest size that is tried; at least `first`.
    int64_t trials = 25;  ///< At most.
  };
  BatchSizeSearch(BatchSizeMode mode, const Bounds& bounds) : mode_(mode), bounds_(bounds) {}

  /// The size to try now; none when the search is over. Each is answered by fitted() or failed().
  std::optional<int64_t> next() const;
  /// The size was tried, with batches of `samples` samples: fewer than it where the data has no more.
  void fitted(int64_t size, int64_t samples);
  void failed(int64_t size);

  /// The largest size that was tried and fitted; none so far.
  std::optional<int64_t> result() const { return fitted_ == 0 ? std::nullopt : std::optional(fitted_); }

 private:
  BatchSizeMode mode_;
  Bounds bounds_;
  int64_t tried_ = 0;   // Sizes.
  int64_t fitted_ = 0;  // Largest that did; 0: none.
  int64_t failed_ = 0;  // Smallest that did; 0: none.
};

}  // namespace troupe
