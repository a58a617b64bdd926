#include "troupe/callbacks/finetuning/pruning_masks.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <cmath>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

std::vector<at::Tensor> nothing_pruned(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> pruned;
  for (const auto& tensor : tensors) {
    pruned.push_back(torch::zeros(tensor.sizes(), torch::kBool));
  }
  return pruned;
}

at::Tensor bools(const std::vector<int>& values, at::IntArrayRef shape) {
  return torch::tensor(values).to(torch::kBool).reshape(shape);
}

int64_t count_of(const at::Tensor& pruned) {
  return pruned.sum().item<int64_t>();
}

}  // namespace

TEST_CASE("the elements of the smallest absolute value of all tensors go first") {
  const std::vector<at::Tensor> tensors = {torch::tensor({{-3.0F, 0.5F}, {2.0F, -0.1F}}), torch::tensor({0.2F, 9.0F})};
  auto pruned = nothing_pruned(tensors);
  prune_further(tensors, pruned, {.amount = 0.5});
  CHECK(pruned[0].equal(bools({0, 1, 0, 1}, {2, 2})));
  CHECK(pruned[1].equal(bools({1, 0}, {2})));
  SUBCASE("and a further round takes its part of what is left") {
    prune_further(tensors, pruned, {.amount = 1});
    CHECK(pruned[0].equal(bools({0, 1, 1, 1}, {2, 2})));
    CHECK(pruned[1].equal(bools({1, 0}, {2})));
  }
  SUBCASE("and never more than there are") {
    prune_further(tensors, pruned, {.amount = 100});
    CHECK(count_of(pruned[0]) + count_of(pruned[1]) == 6);
  }
}

TEST_CASE("each tensor loses its own part where they are not taken together") {
  const std::vector<at::Tensor> tensors = {torch::tensor({1.0F, 2.0F, 3.0F, 4.0F}), torch::tensor({10.0F, 20.0F})};
  auto pruned = nothing_pruned(tensors);
  prune_further(tensors, pruned, {.amount = 0.5, .global = false});
  CHECK(pruned[0].equal(bools({1, 1, 0, 0}, {4})));
  CHECK(pruned[1].equal(bools({1, 0}, {2})));
}

TEST_CASE("a fraction is rounded to the nearest, and halves to even") {
  const auto pruned_of = [](int64_t size, double fraction) {
    const std::vector<at::Tensor> tensors = {torch::arange(1, size + 1, torch::kFloat)};
    auto pruned = nothing_pruned(tensors);
    prune_further(tensors, pruned, {.amount = fraction});
    return count_of(pruned[0]);
  };
  CHECK(pruned_of(5, 0.5) == 2);
  CHECK(pruned_of(7, 0.5) == 4);
  CHECK(pruned_of(10, 0.26) == 3);
  CHECK(pruned_of(10, 0.24) == 2);
}

TEST_CASE("of equal elements the first go first") {
  const std::vector<at::Tensor> tensors = {torch::tensor({1.0F, -1.0F, 1.0F, -1.0F})};
  auto pruned = nothing_pruned(tensors);
  prune_further(tensors, pruned, {.amount = 2});
  CHECK(pruned[0].equal(bools({1, 1, 0, 0}, {4})));
}

TEST_CASE("channels of the smallest norm go first, along the dimension asked for") {
  const at::Tensor weight = torch::tensor({{3.0F, 0.0F, 4.0F}, {1.0F, 4.5F, 1.0F}});
  PruningRound round{.function = PruningFunction::kLnStructured, .amount = 1, .global = false};
  std::vector<at::Tensor> pruned = nothing_pruned({weight});
  SUBCASE("rows by the 2-norm: 5 and 4.72") {
    prune_further({weight}, pruned, round);
    CHECK(pruned[0].equal(bools({0, 0, 0, 1, 1, 1}, {2, 3})));
  }
  SUBCASE("rows by the maximum: 4 and 4.5") {
    round.norm = INFINITY;
    prune_further({weight}, pruned, round);
    CHECK(pruned[0].equal(bools({1, 1, 1, 0, 0, 0}, {2, 3})));
  }
  SUBCASE("columns by the 1-norm: 4, 4.5 and 5, counted from the end") {
    round.norm = 1;
    round.dim = -1;
    prune_further({weight}, pruned, round);
    CHECK(pruned[0].equal(bools({1, 0, 0, 1, 0, 0}, {2, 3})));
    prune_further({weight}, pruned, round);  // One more of the two that are left.
    CHECK(pruned[0].equal(bools({1, 1, 0, 1, 1, 0}, {2, 3})));
  }
  SUBCASE("a dimension that is not there is an error") {
    round.dim = 2;
    CHECK_THROWS_WITH_AS(prune_further({weight}, pruned, round), doctest::Contains("'pruning_dim' is 2"), ConfigError);
  }
}

TEST_CASE("random functions prune as many, by their generator alone") {
  const std::vector<at::Tensor> tensors = {torch::ones({40}), torch::ones({10, 6})};
  for (const auto function : {PruningFunction::kRandomUnstructured, PruningFunction::kRandomStructured}) {
    const auto prune_with = [&](uint64_t seed) {
      auto pruned = nothing_pruned(tensors);
      prune_further(tensors, pruned,
                    {.function = function,
                     .amount = 0.3,
                     .global = false,
                     .generator = at::make_generator<at::CPUGeneratorImpl>(seed)});
      CHECK(count_of(pruned[0]) == 12);
      CHECK(count_of(pruned[1]) == 18);
      return at::cat({pruned[0].flatten(), pruned[1].flatten()});
    };
    torch::manual_seed(1);
    const auto first = prune_with(5);
    torch::manual_seed(2);
    CHECK(prune_with(5).equal(first));
    CHECK_FALSE(prune_with(6).equal(first));
  }
}
