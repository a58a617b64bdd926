#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/runtime/options/options.h"

namespace troupe {

/// What a value is compared with.
enum class SpikeStatistic {
  kMean,    ///< The mean of the window.
  kMedian,  ///< Its median; distances are counted in median absolute deviations.
};

template <>
struct EnumNames<SpikeStatistic> {
  static constexpr std::array<std::pair<SpikeStatistic, std::string_view>, 2> kNames{
      {{SpikeStatistic::kMean, "mean"}, {SpikeStatistic::kMedian, "median"}}};
};

/// The latest finite values of a metric. What it tells is computed from the values that it holds, in their order, so a
/// window that was saved and loaded tells the same, bit for bit.
class SpikeWindow {
 public:
  /// Keeps at most `size` values.
  explicit SpikeWindow(size_t size) : size_(size) {}

  /// `value` must be finite.
  void add(double value);
  void clear() { values_.clear(); }
  /// Oldest first; of more than it keeps, the latest.
  void set_values(std::vector<double> values);

  bool empty() const { return values_.empty(); }
  /// The one added last; none when empty.
  std::optional<double> last() const { return empty() ? std::nullopt : std::optional(values_.back()); }
  const std::vector<double>& values() const { return values_; }

  /// Mean or median; of an even number of values the mean of the middle two. The window must not be empty.
  double center(SpikeStatistic statistic) const;
  /// Median of the distances from the median (MAD), unscaled: of normally distributed values 0.6745 standard
  /// deviations. The window must not be empty.
  double median_absolute_deviation() const;

 private:
  size_t size_;
  std::vector<double> values_;
};

}  // namespace troupe
