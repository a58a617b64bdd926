#include "troupe/runtime/data/dataset.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/data/tensor_dataset.h"

using namespace troupe;

namespace {

/// Sample i is i + 1 numbers: of no use for batches.
class Ragged final : public Dataset {
 public:
  int64_t size() const override { return 3; }
  Example get(int64_t index, at::Generator&) const override { return {torch::zeros({index + 1}), {}}; }
};

Example add_noise(Example example, at::Generator& generator) {
  example.data = example.data + torch::rand(example.data.sizes(), generator);
  return example;
}

}  // namespace

TEST_CASE("a TensorDataset gives its rows, alone and in batches") {
  const auto data = torch::arange(12.0).view({4, 3});
  const auto target = torch::arange(4);
  const TensorDataset dataset(data, target);
  BatchRandomness randomness;
  CHECK(dataset.size() == 4);
  CHECK(dataset.get(2, randomness.generator(2)).data.equal(data[2]));
  const std::vector<int64_t> indices{3, 0};
  const Batch batch = dataset.get_batch(indices, randomness);
  CHECK(batch.size() == 2);
  CHECK(batch.data.equal(torch::stack({data[3], data[0]})));
  CHECK(batch.target.equal(torch::stack({target[3], target[0]})));
}

TEST_CASE("a TensorDataset without targets gives none") {
  const TensorDataset dataset(torch::zeros({4, 3}));
  BatchRandomness randomness;
  const std::vector<int64_t> indices{1, 2};
  CHECK_FALSE(dataset.get_batch(indices, randomness).target.defined());
  CHECK_FALSE(dataset.get(0, randomness.generator(0)).target.defined());
}

TEST_CASE("a TensorDataset of tensors that do not fit together is refused") {
  CHECK_THROWS_WITH_AS(TensorDataset(torch::zeros({4, 3}), torch::zeros({5})),
                       "TensorDataset: data has 4 rows and target has 5; they must have one row a sample each",
                       ConfigError);
  CHECK_THROWS_AS(TensorDataset(torch::zeros({})), ConfigError);
  CHECK_THROWS_AS(TensorDataset(torch::Tensor()), ConfigError);
}

TEST_CASE("a sample's randomness depends on seed, epoch and index alone") {
  const TensorDataset dataset(torch::zeros({4, 3}), torch::arange(4), add_noise);
  BatchRandomness randomness;
  const auto batch_of = [&](std::vector<int64_t> indices, uint64_t seed, int64_t epoch) {
    randomness.set_epoch(seed, epoch);
    return dataset.get_batch(indices, randomness).data;
  };
  const auto first = batch_of({0, 1, 2}, 1, 0);
  CHECK_FALSE(first[0].equal(first[1]));
  CHECK(batch_of({2, 0}, 1, 0).equal(torch::stack({first[2], first[0]})));
  CHECK_FALSE(batch_of({0, 1, 2}, 1, 1).equal(first));
  CHECK_FALSE(batch_of({0, 1, 2}, 2, 0).equal(first));
}

TEST_CASE("samples of different shapes cannot be a batch, and the error says which differ") {
  const Ragged dataset;
  BatchRandomness randomness;
  const std::vector<int64_t> indices{1, 2};
  CHECK_THROWS_WITH_AS(dataset.get_batch(indices, randomness),
                       "dataset: sample 2: its data has another shape or dtype than that of sample 1", DataError);
}

TEST_CASE("a subset has the samples at its indices, with the randomness they have in the dataset") {
  const auto dataset = std::make_shared<TensorDataset>(torch::zeros({5, 3}), torch::arange(5), add_noise);
  const auto part = subset(dataset, {4, 1});
  CHECK(part->size() == 2);
  BatchRandomness randomness;
  randomness.set_epoch(6, 1);
  const std::vector<int64_t> in_part{0, 1};
  const std::vector<int64_t> in_dataset{4, 1};
  const Batch batch = part->get_batch(in_part, randomness);
  CHECK(batch.target.equal(torch::tensor({4, 1})));
  CHECK(batch.data.equal(dataset->get_batch(in_dataset, randomness).data));
}

TEST_CASE("a subset refuses an index outside the dataset") {
  const auto dataset = std::make_shared<TensorDataset>(torch::zeros({5, 3}));
  CHECK_THROWS_WITH_AS(subset(dataset, {0, 5}), "subset: index 5 is outside the dataset, which has 5 samples",
                       ConfigError);
  CHECK_THROWS_AS(subset(dataset, {-1}), ConfigError);
}
