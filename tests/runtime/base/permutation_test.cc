#include "troupe/runtime/base/permutation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "troupe/runtime/base/random_key.h"

using namespace troupe;

namespace {

std::vector<int64_t> values_of(const Permutation& permutation) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < permutation.size(); ++i) {
    values.push_back(permutation(i));
  }
  return values;
}

bool is_permutation_of_range(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != static_cast<int64_t>(i)) {
      return false;
    }
  }
  return true;
}

/// Pearson's statistic of counts that should all be equal; about counts.size() - 1 for a fair source.
double chi_square(const std::vector<int64_t>& counts, double expected) {
  double sum = 0;
  for (const int64_t count : counts) {
    sum += (static_cast<double>(count) - expected) * (static_cast<double>(count) - expected) / expected;
  }
  return sum;
}

}  // namespace

TEST_CASE("a Permutation of any size gives every index once") {
  for (int64_t size = 1; size <= 70; ++size) {
    for (uint64_t key = 0; key < 5; ++key) {
      CHECK(is_permutation_of_range(values_of(Permutation(size, key))));
    }
  }
  CHECK(is_permutation_of_range(values_of(Permutation(100'003, 7))));
}

TEST_CASE("a Permutation is the same for the same key and another for another") {
  CHECK(values_of(Permutation(1000, 1)) == values_of(Permutation(1000, 1)));
  CHECK(values_of(Permutation(1000, 1)) != values_of(Permutation(1000, 2)));
}

TEST_CASE("a Permutation never changes between versions, since saved positions count on it") {
  CHECK(values_of(Permutation(10, 42)) == std::vector<int64_t>{6, 3, 7, 2, 0, 1, 8, 5, 4, 9});
}

TEST_CASE("a Permutation of more indices than memory could hold is as quick as a small one") {
  const Permutation permutation(int64_t{1} << 62, 3);
  CHECK(permutation(0) != permutation(1));
  CHECK(permutation(permutation.size() - 1) < permutation.size());
}

TEST_CASE("over many keys every index goes everywhere equally often") {
  constexpr int kKeys = 20'000;
  for (const int64_t size : {2, 3, 6, 8, 13, 33}) {
    std::vector<int64_t> counts(static_cast<size_t>(size * size));
    for (int key = 0; key < kKeys; ++key) {
      const Permutation permutation(size, random_key(1, key));
      for (int64_t i = 0; i < size; ++i) {
        ++counts[static_cast<size_t>(i * size + permutation(i))];
      }
    }
    // Rows and columns have fixed sums: (size-1)^2 degrees of freedom. The bound is eight standard deviations above
    // that.
    const auto freedom = static_cast<double>((size - 1) * (size - 1));
    const double statistic = chi_square(counts, static_cast<double>(kKeys) / static_cast<double>(size));
    CAPTURE(size);
    CHECK(statistic < freedom + 8 * std::sqrt(2 * freedom));
  }
}

TEST_CASE("over many keys every pair of neighbours goes to every pair of places equally often") {
  constexpr int kKeys = 30'000;
  for (const int64_t size : {6, 12, 33}) {
    std::vector<int64_t> counts(static_cast<size_t>(size * (size - 1)));
    for (int key = 0; key < kKeys; ++key) {
      const Permutation permutation(size, random_key(2, key));
      const int64_t first = permutation(size / 2);
      const int64_t second = permutation(size / 2 + 1);
      ++counts[static_cast<size_t>(first * (size - 1) + second - (second > first ? 1 : 0))];
    }
    const auto freedom = static_cast<double>(counts.size() - 1);
    const double statistic = chi_square(counts, static_cast<double>(kKeys) / static_cast<double>(counts.size()));
    CAPTURE(size);
    CHECK(statistic < freedom + 8 * std::sqrt(2 * freedom));
  }
}
