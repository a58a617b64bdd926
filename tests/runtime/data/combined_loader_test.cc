#include "troupe/runtime/data/combined_loader.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/stream.h"
#include "troupe/runtime/data/tensor_dataset.h"

using namespace troupe;

namespace {

/// Samples first, first + 1, ... in batches of one.
std::shared_ptr<DataLoader> counting_loader(int64_t first, int64_t samples, bool shuffle = false) {
  const auto data = torch::arange(first, first + samples);
  return make_data_loader(std::make_shared<TensorDataset>(data, data), {.batch_size = 1, .shuffle = shuffle});
}

/// The first and the second part of every batch from a place on.
std::vector<std::pair<int64_t, int64_t>> pairs_from(DataLoader& loader, int64_t epoch, int64_t first) {
  loader.begin(epoch, first);
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = first; i < loader.batches(); ++i) {
    const Batch batch = loader.next();
    pairs.emplace_back(batch.data.item<int64_t>(), batch.more.empty() ? -1 : batch.more[0].item<int64_t>());
  }
  return pairs;
}

}  // namespace

TEST_CASE("the longest of several loaders ends the epoch, and the others begin anew") {
  const auto both = combine_loaders({counting_loader(0, 5), counting_loader(10, 2)}, CombineMode::kMaxSizeCycle);
  CHECK(both->batches() == 5);
  CHECK((pairs_from(*both, 0, 0) ==
         std::vector<std::pair<int64_t, int64_t>>{{0, 10}, {1, 11}, {2, 10}, {3, 11}, {4, 10}}));
}

TEST_CASE("the shortest of several loaders ends the epoch in min_size") {
  const auto both = combine_loaders({counting_loader(0, 5), counting_loader(10, 2)}, CombineMode::kMinSize);
  CHECK((pairs_from(*both, 0, 0) == std::vector<std::pair<int64_t, int64_t>>{{0, 10}, {1, 11}}));
}

TEST_CASE("loaders in sequence give all of their batches as they are") {
  const auto all = combine_loaders({counting_loader(0, 2), counting_loader(10, 1), counting_loader(20, 2)},
                                   CombineMode::kSequential);
  CHECK((pairs_from(*all, 0, 0) ==
         std::vector<std::pair<int64_t, int64_t>>{{0, -1}, {1, -1}, {10, -1}, {20, -1}, {21, -1}}));
}

TEST_CASE("combined loaders go on from any place as if they had come there") {
  for (const CombineMode mode : {CombineMode::kMaxSizeCycle, CombineMode::kMinSize, CombineMode::kSequential}) {
    const auto make = [&] {
      return combine_loaders({counting_loader(0, 7, true), counting_loader(10, 3, true)}, mode);
    };
    const auto whole = make();
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      const auto expected = pairs_from(*whole, epoch, 0);
      for (int64_t first = 0; first <= whole->batches(); ++first) {
        const auto rest = pairs_from(*make(), epoch, first);
        CHECK((rest == std::vector(expected.begin() + first, expected.end())));
      }
    }
    CHECK_THROWS_AS(whole->begin(0, whole->batches() + 1), ConfigError);
    whole->begin(0, whole->batches());
    CHECK_THROWS_AS(whole->next(), std::out_of_range);
  }
}

TEST_CASE("a loader that begins anew within an epoch takes another order") {
  const auto both =
      combine_loaders({counting_loader(0, 64), counting_loader(100, 32, true)}, CombineMode::kMaxSizeCycle);
  const auto pairs = pairs_from(*both, 0, 0);
  const auto next = pairs_from(*both, 1, 0);
  std::vector<int64_t> orders[3];
  for (size_t i = 0; i < 32; ++i) {
    orders[0].push_back(pairs[i].second);
    orders[1].push_back(pairs[32 + i].second);
    orders[2].push_back(next[i].second);
  }
  CHECK(orders[0] != orders[1]);
  CHECK(orders[1] != orders[2]);
  CHECK(orders[0] != orders[2]);
}

TEST_CASE("combined loaders pass on what else a batch has, other sizes and orders") {
  const auto both = combine_loaders({counting_loader(0, 4, true), counting_loader(10, 4)}, CombineMode::kMinSize);
  both->begin(0, 0);
  CHECK(both->next().more.size() == 2);
  CHECK(both->batch_size() == 1);
  const auto larger = both->another(2);
  REQUIRE(larger != nullptr);
  CHECK(larger->batches() == 2);
  CHECK(both->disable_shuffle());
  CHECK_FALSE(both->disable_shuffle());
  CHECK((pairs_from(*both, 0, 0) == std::vector<std::pair<int64_t, int64_t>>{{0, 10}, {1, 11}, {2, 12}, {3, 13}}));
}

TEST_CASE("what cannot be combined is refused") {
  CHECK_THROWS_WITH_AS(combine_loaders({}, CombineMode::kMinSize), "combine_loaders: no loader was given", ConfigError);
  CHECK_THROWS_AS(combine_loaders({nullptr}, CombineMode::kMinSize), ConfigError);
  const auto stream = make_stream_loader([](int64_t) { return nullptr; });
  CHECK_THROWS_AS(combine_loaders({stream}, CombineMode::kSequential), ConfigError);
}
