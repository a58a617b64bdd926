#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A training batch that is to be left out, and where it was met.
struct BadBatch {
  uint32_t epoch = 0;                          ///< Counted from 0.
  uint32_t batch_index = 0;                    ///< Counted from 0, within the epoch.
  uint64_t step = 0;                           ///< Optimizer steps completed after it.
  std::optional<double> value = std::nullopt;  ///< Of the monitored metric; none where it logged none.
};

/// Bad batches in the order in which they were met, each once, and their JSON: an array of objects, one a line,
/// {"batch_index": 7, "epoch": 0, "step": 8, "value": 31.5}. Values that are not finite are the strings "nan", "inf"
/// and "-inf", a missing one is null.
class BadBatches {
 public:
  /// Does nothing where the batch of that epoch is among them.
  void add(const BadBatch& batch);
  const std::vector<BadBatch>& all() const { return batches_; }

  std::string to_json() const;
  /// Throws CorruptionError when the text is not what to_json gives.
  static BadBatches from_json(std::string_view text);

 private:
  std::vector<BadBatch> batches_;
};

}  // namespace troupe
