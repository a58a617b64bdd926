#include "troupe/runtime/event/histogram.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

constexpr double kPlusInfinity = std::numeric_limits<double>::infinity();

HistogramLogged histogram(const std::vector<double>& values, int buckets) {
  return make_histogram("h", std::span<const double>(values), buckets);
}

std::vector<uint64_t> bucket_counts(const HistogramLogged& histogram) {
  return {histogram.buckets().begin(), histogram.buckets().end()};
}

}  // namespace

TEST_CASE("a histogram counts values in ranges of equal width, a border in the range above it") {
  const auto counted = histogram({0, 0.5, 1, 1.5, 2, 3, 4, 4}, 4);
  CHECK(counted.name() == "h");
  CHECK(bucket_counts(counted) == std::vector<uint64_t>{2, 2, 1, 3});
  CHECK(counted.count() == 8);
  CHECK(counted.min() == 0);
  CHECK(counted.max() == 4);
  CHECK(counted.sum() == 16);
  CHECK(counted.sum_squares() == 0.25 + 1 + 2.25 + 4 + 9 + 16 + 16);
  CHECK(counted.not_finite() == 0);
}

TEST_CASE("a histogram of floats is that of the same doubles") {
  const std::vector<float> floats{-1, 0.25F, 3};
  CHECK(make_histogram("h", std::span<const float>(floats), 5).SerializeAsString() ==
        histogram({-1, 0.25, 3}, 5).SerializeAsString());
}

TEST_CASE("values that are not finite are counted apart") {
  const auto counted = histogram({kPlusInfinity, 2, std::numeric_limits<double>::quiet_NaN(), 1, -kPlusInfinity}, 2);
  CHECK(bucket_counts(counted) == std::vector<uint64_t>{1, 1});
  CHECK(counted.count() == 2);
  CHECK(counted.not_finite() == 3);
  CHECK(counted.max() == 2);
  const auto none = histogram({kPlusInfinity}, 2);
  CHECK(none.count() == 0);
  CHECK(none.not_finite() == 1);
  CHECK(bucket_counts(none) == std::vector<uint64_t>{0});
}

TEST_CASE("values that are all equal make one range, and the largest range of all overflows nothing") {
  CHECK(bucket_counts(histogram({3, 3, 3}, 64)) == std::vector<uint64_t>{3});
  constexpr double kLargest = std::numeric_limits<double>::max();
  CHECK(bucket_counts(histogram({-kLargest, 0, kLargest}, 3)) == std::vector<uint64_t>{1, 1, 1});
  CHECK(bucket_counts(histogram({0, std::numeric_limits<double>::denorm_min()}, 3)) == std::vector<uint64_t>{2});
}

TEST_CASE("a histogram of no range, or of too many, is refused") {
  CHECK_THROWS_WITH_AS(histogram({1}, 0), doctest::Contains("allowed are 1 to 4096"), ConfigError);
  CHECK_THROWS_AS(histogram({1}, 4097), ConfigError);
}
