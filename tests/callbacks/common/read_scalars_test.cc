#include "troupe/callbacks/common/read_scalars.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

using namespace troupe;

TEST_CASE("scalars of any type and shape are read in their order") {
  const std::vector<at::Tensor> scalars = {torch::tensor(2.5), torch::tensor(7, at::kLong), torch::full({1, 1}, 0.25),
                                           torch::tensor(true)};
  CHECK(read_scalars(scalars) == std::vector<double>{2.5, 7, 0.25, 1});
  CHECK(read_scalars({}).empty());
}

TEST_CASE("a scalar with a graph is read too") {
  const auto parameter = torch::ones({3}, torch::requires_grad());
  CHECK(read_scalars({parameter.sum()}) == std::vector<double>{3});
}
