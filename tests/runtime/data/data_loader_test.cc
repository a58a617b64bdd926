#include "troupe/runtime/data/data_loader.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <set>

#include "tests/support/datasets.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/fixed_batches.h"
#include "troupe/runtime/module/seed.h"

using namespace troupe;
using namespace troupe::test;

namespace {

bool equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Batch& left, const Batch& right) {
    return left.data.equal(right.data) && left.target.equal(right.target);
  });
}

std::multiset<int64_t> samples_in(const std::vector<Batch>& batches) {
  std::multiset<int64_t> samples;
  for (const Batch& batch : batches) {
    for (int64_t i = 0; i < batch.size(); ++i) {
      samples.insert(batch.target[i].item<int64_t>());
    }
  }
  return samples;
}

std::multiset<int64_t> range(int64_t size) {
  std::multiset<int64_t> samples;
  for (int64_t i = 0; i < size; ++i) {
    samples.insert(i);
  }
  return samples;
}

std::string error_text(DataLoader& loader) {
  try {
    loader.next();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("an epoch has every sample once, the last batch being what is left") {
  const auto loader = make_data_loader(noisy_dataset(10), {.batch_size = 4, .shuffle = true});
  const auto batches = rest_of_epoch(*loader);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].size() == 4);
  CHECK(batches[2].size() == 2);
  CHECK(samples_in(batches) == range(10));
}

TEST_CASE("drop_last leaves out the last batch if it is smaller") {
  CHECK(make_data_loader(noisy_dataset(10), {.batch_size = 4, .drop_last = true})->batches() == 2);
  CHECK(make_data_loader(noisy_dataset(8), {.batch_size = 4, .drop_last = true})->batches() == 2);
}

TEST_CASE("epochs and seeds differ in order and in augmentation, and repeat") {
  const DataLoaderOptions options{.batch_size = 4, .seed = 1, .shuffle = true};
  const auto loader = make_data_loader(noisy_dataset(20), options);
  const auto first = rest_of_epoch(*loader);
  loader->begin(1, 0);
  const auto second = rest_of_epoch(*loader);
  CHECK_FALSE(equal(first, second));
  loader->begin(0, 0);
  CHECK(equal(first, rest_of_epoch(*loader)));
  DataLoaderOptions other_seed = options;
  other_seed.seed = 2;
  CHECK_FALSE(equal(first, rest_of_epoch(*make_data_loader(noisy_dataset(20), other_seed))));
}

TEST_CASE("the batches are the same with any number of workers, from any place in any epoch") {
  for (const bool drop_last : {false, true}) {
    DataLoaderOptions options{.batch_size = 3, .drop_last = drop_last, .seed = 7, .shuffle = true};
    const auto plain = make_data_loader(noisy_dataset(31), options);
    for (const int workers : {0, 1, 2, 3}) {
      options.num_workers = workers;
      options.prefetch_factor = workers == 1 ? 1 : 2;
      const auto loader = make_data_loader(noisy_dataset(31), options);
      CAPTURE(workers);
      for (const int64_t first_batch : {int64_t{0}, int64_t{1}, int64_t{4}, loader->batches()}) {
        plain->begin(2, first_batch);
        loader->begin(2, first_batch);
        CHECK(equal(rest_of_epoch(*plain, first_batch), rest_of_epoch(*loader, first_batch)));
        CHECK_THROWS_AS(loader->next(), std::out_of_range);
      }
    }
  }
}

TEST_CASE("a loader that resumes at any batch gives what was left of the epoch") {
  const DataLoaderOptions options{.batch_size = 4, .num_workers = 2, .seed = 3, .shuffle = true};
  const auto whole = rest_of_epoch(*make_data_loader(noisy_dataset(22), options));
  for (int64_t batch = 0; batch <= static_cast<int64_t>(whole.size()); ++batch) {
    const auto resumed = make_data_loader(noisy_dataset(22), options);
    resumed->begin(0, batch);
    CHECK(equal(rest_of_epoch(*resumed, batch), {whole.begin() + batch, whole.end()}));
  }
}

TEST_CASE("the ranks together see every sample, equally many each") {
  for (const int workers : {0, 2}) {
    std::multiset<int64_t> together;
    for (int rank = 0; rank < 3; ++rank) {
      const auto loader = make_data_loader(
          noisy_dataset(10), {.batch_size = 3, .num_workers = workers, .rank = rank, .shuffle = true, .world_size = 3});
      const auto samples = samples_in(rest_of_epoch(*loader));
      CHECK(samples.size() == 4);
      together.insert(samples.begin(), samples.end());
    }
    CHECK(std::set<int64_t>(together.begin(), together.end()).size() == 10);
    CHECK(together.size() == 12);
  }
}

TEST_CASE("a loader never draws from the default generator") {
  for (const int workers : {0, 2}) {
    const auto state = default_rng_state();
    rest_of_epoch(*make_data_loader(noisy_dataset(20), {.batch_size = 4, .num_workers = workers, .shuffle = true}));
    CHECK(default_rng_state().equal(state));
  }
}

TEST_CASE("an error of the dataset comes out of next() with the sample and its text, and the loader goes on") {
  const auto fail_at_5 = [](int64_t index) -> at::Tensor {
    if (index == 5) {
      throw std::runtime_error("no such picture");
    }
    return torch::full({1}, index);
  };
  for (const int workers : {0, 1, 2}) {
    const auto loader =
        make_data_loader(std::make_shared<FunctionDataset>(8, fail_at_5), {.batch_size = 2, .num_workers = workers});
    loader->begin(0, 1);
    loader->next();
    CHECK(error_text(*loader) == "dataset: sample 5: no such picture");
    CHECK(loader->next().data[0].item<int64_t>() == 6);
  }
}

TEST_CASE("the dataset's own exception is nested in the error") {
  const auto fail = [](int64_t) -> at::Tensor { throw std::invalid_argument("odd"); };
  const auto loader = make_data_loader(std::make_shared<FunctionDataset>(8, fail), {.num_workers = 1});
  try {
    loader->next();
    FAIL("next() did not throw");
  } catch (const DataError& error) {
    CHECK_THROWS_AS(std::rethrow_if_nested(error), std::invalid_argument);
  }
}

TEST_CASE("errors of LibTorch are reported without their backtrace, and what is no exception by its type") {
  const auto torch_error = [](int64_t) { return torch::zeros({2}).view({3}); };
  auto loader = make_data_loader(std::make_shared<FunctionDataset>(8, torch_error), {});
  const std::string text = error_text(*loader);
  CHECK(text == "dataset: sample 0: shape '[3]' is invalid for input of size 2");
  const auto odd = [](int64_t) -> at::Tensor { throw 42; };
  loader = make_data_loader(std::make_shared<FunctionDataset>(8, odd), {});
  CHECK(error_text(*loader) == "dataset: sample 0: an exception of type int");
}

TEST_CASE("an error of a whole batch says which samples it had") {
  class BatchOnly final : public Dataset {
   public:
    int64_t size() const override { return 20; }
    Example get(int64_t, at::Generator&) const override { return {}; }
    Batch get_batch(std::span<const int64_t>, BatchRandomness&) const override {
      throw std::runtime_error("disk is away");
    }
  };
  const auto loader = make_data_loader(std::make_shared<BatchOnly>(), {.batch_size = 3});
  loader->begin(4, 1);
  CHECK(error_text(*loader) == "dataset: batch 1 of epoch 4 (samples 3, 4, 5): disk is away");
}

TEST_CASE("options that make no sense are refused by name, value and what is allowed") {
  const auto dataset = noisy_dataset(10);
  CHECK_THROWS_WITH_AS(make_data_loader(dataset, {.batch_size = 0}), "DataLoader: batch_size = 0: must be at least 1",
                       ConfigError);
  CHECK_THROWS_WITH_AS(make_data_loader(dataset, {.rank = 2, .world_size = 2}),
                       "DataLoader: rank = 2: must be in [0, world_size), which is 2", ConfigError);
  CHECK_THROWS_AS(make_data_loader(dataset, {.num_workers = -1}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(dataset, {.prefetch_factor = 0}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(dataset, {.rank = -1}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(dataset, {.world_size = 0}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(dataset, {.batch_size = 11, .drop_last = true}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(nullptr, {}), ConfigError);
  CHECK_THROWS_AS(make_data_loader(subset(dataset, {}), {}), ConfigError);
}

TEST_CASE("a place outside the epoch is refused") {
  const auto loader = make_data_loader(noisy_dataset(10), {.batch_size = 4});
  CHECK_THROWS_WITH_AS(loader->begin(1, 4), "DataLoader: there is no batch 4 of epoch 1; an epoch has 3 batches",
                       ConfigError);
  CHECK_THROWS_AS(loader->begin(-1, 0), ConfigError);
  CHECK_THROWS_AS(loader->begin(0, -1), ConfigError);
}

TEST_CASE("FixedBatches repeats its batches in order, in every epoch alike") {
  FixedBatches loader({Batch{.data = torch::zeros({2, 1}), .target = {}, .more = {}},
                       Batch{.data = torch::ones({2, 1}), .target = {}, .more = {}}},
                      3);
  CHECK(loader.batches() == 3);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    loader.begin(epoch, 1);
    CHECK(loader.next().data.sum().item<float>() == 2);
    CHECK(loader.next().data.sum().item<float>() == 0);
    CHECK_THROWS_AS(loader.next(), std::out_of_range);
  }
  CHECK_THROWS_AS(loader.begin(0, 4), ConfigError);
  CHECK_THROWS_AS(FixedBatches({}), ConfigError);
}
