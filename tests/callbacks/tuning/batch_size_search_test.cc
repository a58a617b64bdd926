#include "troupe/callbacks/tuning/batch_size_search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace troupe;

namespace {

struct Searched {
  std::vector<int64_t> tried;
  std::optional<int64_t> result;
};

/// Searches where sizes of up to `fits` work and the data has `samples`.
Searched search_sizes(BatchSizeMode mode, const BatchSizeSearch::Bounds& bounds, int64_t fits,
                      int64_t samples = 1'000'000) {
  BatchSizeSearch search(mode, bounds);
  Searched searched;
  while (const auto size = search.next()) {
    searched.tried.push_back(*size);
    *size <= fits ? search.fitted(*size, std::min(*size, samples)) : search.failed(*size);
  }
  searched.result = search.result();
  return searched;
}

using Sizes = std::vector<int64_t>;

}  // namespace

TEST_CASE("power doubles until a size fails and takes the one before") {
  const auto searched = search_sizes(BatchSizeMode::kPower, {.first = 2}, 20);
  CHECK(searched.tried == Sizes{2, 4, 8, 16, 32});
  CHECK(searched.result == 16);
}

TEST_CASE("binsearch bisects between the last size that fitted and the first that failed") {
  const auto searched = search_sizes(BatchSizeMode::kBinsearch, {.first = 2}, 20);
  CHECK(searched.tried == Sizes{2, 4, 8, 16, 32, 24, 20, 22, 21});
  CHECK(searched.result == 20);
}

TEST_CASE("a first size that fails is halved until one fits") {
  CHECK(search_sizes(BatchSizeMode::kPower, {.first = 64}, 20).tried == Sizes{64, 32, 16});
  CHECK(search_sizes(BatchSizeMode::kBinsearch, {.first = 64}, 20).result == 20);
}

TEST_CASE("the largest size is tried before it is the result") {
  const auto searched = search_sizes(BatchSizeMode::kPower, {.first = 3, .max = 10}, 100);
  CHECK(searched.tried == Sizes{3, 6, 10});
  CHECK(searched.result == 10);
  CHECK(search_sizes(BatchSizeMode::kBinsearch, {.first = 3, .max = 10}, 9).result == 9);
}

TEST_CASE("no size is larger than the data") {
  const auto searched = search_sizes(BatchSizeMode::kPower, {.first = 2}, 100, 24);
  CHECK(searched.tried == Sizes{2, 4, 8, 16, 32});
  CHECK(searched.result == 24);
  CHECK(search_sizes(BatchSizeMode::kPower, {.first = 24}, 100, 24).tried == Sizes{24, 48});
}

TEST_CASE("a search ends after its trials, with the largest that fitted") {
  CHECK(search_sizes(BatchSizeMode::kPower, {.first = 1, .trials = 3}, 100).result == 4);
  CHECK(search_sizes(BatchSizeMode::kBinsearch, {.first = 1, .trials = 7}, 20).result == 16);
  CHECK_FALSE(search_sizes(BatchSizeMode::kPower, {.first = 64, .trials = 2}, 1).result);
}

TEST_CASE("nothing is the result where not even one sample fits") {
  const auto searched = search_sizes(BatchSizeMode::kPower, {.first = 4}, 0);
  CHECK(searched.tried == Sizes{4, 2, 1});
  CHECK_FALSE(searched.result);
}
