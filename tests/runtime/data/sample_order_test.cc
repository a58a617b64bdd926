#include "troupe/runtime/data/sample_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

using namespace troupe;

namespace {

std::vector<int64_t> samples_of(const SampleOrder& order) {
  std::vector<int64_t> samples;
  for (int64_t k = 0; k < order.size(); ++k) {
    samples.push_back(order(k));
  }
  return samples;
}

}  // namespace

TEST_CASE("without shuffling the order is the dataset's in every epoch") {
  CHECK(samples_of(SampleOrder(4, false, 1, 0, 0, 1)) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(samples_of(SampleOrder(4, false, 9, 5, 0, 1)) == std::vector<int64_t>{0, 1, 2, 3});
}

TEST_CASE("a shuffled order differs by epoch and by seed") {
  const auto order = samples_of(SampleOrder(100, true, 1, 0, 0, 1));
  CHECK(order == samples_of(SampleOrder(100, true, 1, 0, 0, 1)));
  CHECK(order != samples_of(SampleOrder(100, true, 1, 1, 0, 1)));
  CHECK(order != samples_of(SampleOrder(100, true, 2, 0, 0, 1)));
}

TEST_CASE("ranks take turns in one order, as DistributedSampler deals them") {
  CHECK(samples_of(SampleOrder(6, false, 0, 0, 0, 2)) == std::vector<int64_t>{0, 2, 4});
  CHECK(samples_of(SampleOrder(6, false, 0, 0, 1, 2)) == std::vector<int64_t>{1, 3, 5});
}

TEST_CASE("ranks get equal counts, the last ones by wrapping, and together every sample") {
  for (const int64_t size : {1, 2, 7, 8, 100}) {
    for (const int world_size : {1, 2, 3, 8}) {
      CAPTURE(size);
      CAPTURE(world_size);
      const int64_t share = (size + world_size - 1) / world_size;
      std::vector<int64_t> together;
      for (int rank = 0; rank < world_size; ++rank) {
        const auto samples = samples_of(SampleOrder(size, true, 3, 2, rank, world_size));
        CHECK(static_cast<int64_t>(samples.size()) == share);
        together.insert(together.end(), samples.begin(), samples.end());
      }
      CHECK(static_cast<int64_t>(std::set<int64_t>(together.begin(), together.end()).size()) == size);
      for (int64_t sample = 0; sample < size; ++sample) {
        const auto count = std::count(together.begin(), together.end(), sample);
        CHECK(count <= (share * world_size + size - 1) / size);
      }
    }
  }
}
