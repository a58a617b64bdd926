#include "troupe/runtime/event/histogram.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

template <class Value>
void add_up(std::span<const Value> values, HistogramLogged& histogram) {
  uint64_t count = 0;
  double min = 0;
  double max = 0;
  double sum = 0;
  double sum_squares = 0;
  for (const auto single : values) {
    const auto value = static_cast<double>(single);
    if (!std::isfinite(value)) {
      continue;
    }
    min = count == 0 ? value : std::min(min, value);
    max = count == 0 ? value : std::max(max, value);
    sum += value;
    sum_squares += value * value;
    ++count;
  }
  histogram.set_count(count);
  histogram.set_not_finite(values.size() - count);
  histogram.set_min(min);
  histogram.set_max(max);
  histogram.set_sum(sum);
  histogram.set_sum_squares(sum_squares);
}

template <class Value>
std::vector<uint64_t> counted(std::span<const Value> values, double min, double scale, size_t buckets) {
  std::vector<uint64_t> counts(buckets);
  for (const auto single : values) {
    const auto value = static_cast<double>(single);
    if (std::isfinite(value)) {
      const auto bucket = static_cast<size_t>(scale * (value / 2 - min / 2));
      ++counts[std::min(bucket, buckets - 1)];
    }
  }
  return counts;
}

template <class Value>
HistogramLogged histogram_of(std::string name, std::span<const Value> values, int buckets) {
  constexpr int kBucketsMax = 4096;
  if (buckets < 1 || buckets > kBucketsMax) {
    throw ConfigError("histogram '" + name + "': " + std::to_string(buckets) + " buckets; allowed are 1 to " +
                      std::to_string(kBucketsMax));
  }
  HistogramLogged histogram;
  histogram.set_name(std::move(name));
  add_up(values, histogram);
  // Halves, so that a range of all numbers does not overflow.
  const double scale = buckets / (histogram.max() / 2 - histogram.min() / 2);
  if (!std::isfinite(scale)) {  // All are equal, or as good as that.
    histogram.add_buckets(histogram.count());
    return histogram;
  }
  const auto counts = counted(values, histogram.min(), scale, static_cast<size_t>(buckets));
  histogram.mutable_buckets()->Add(counts.begin(), counts.end());
  return histogram;
}

}  // namespace

HistogramLogged make_histogram(std::string name, std::span<const double> values, int buckets) {
  return histogram_of(std::move(name), values, buckets);
}

HistogramLogged make_histogram(std::string name, std::span<const float> values, int buckets) {
  return histogram_of(std::move(name), values, buckets);
}

}  // namespace troupe
