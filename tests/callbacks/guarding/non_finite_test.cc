#include "troupe/callbacks/guarding/non_finite.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <limits>

using namespace troupe;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("tensors with a NaN or an infinity are named in their order") {
  const NamedTensors tensors = {{"sound", torch::ones({2, 2})},
                                {"minus", torch::tensor({1.0, -kInfinity})},
                                {"both", torch::tensor({kInfinity, -kInfinity})},
                                {"nan", torch::tensor({kNan})},
                                {"half", torch::tensor({1.0, kInfinity}).to(at::kBFloat16)}};
  CHECK(non_finite_names(tensors) == std::vector<std::string>{"minus", "both", "nan", "half"});
}

TEST_CASE("elements that are finite are, whatever they add up to") {
  CHECK(non_finite_names({{"large", torch::full({4}, 1e308, at::kDouble)}}).empty());
}

TEST_CASE("tensors that cannot be anything but finite are passed over") {
  CHECK(non_finite_names({{"count", torch::tensor(3, at::kLong)}, {"empty", torch::empty({0})}}).empty());
  CHECK(non_finite_names({}).empty());
}

TEST_CASE("a sparse gradient is looked at where it has elements") {
  const auto indices = torch::tensor({{1, 3}}, at::kLong);
  const auto bad = torch::sparse_coo_tensor(indices, torch::tensor({2.0, kNan}), {5});
  const auto sound = torch::sparse_coo_tensor(indices, torch::tensor({2.0, 1.0}), {5});
  CHECK(non_finite_names({{"sound", sound}, {"bad", bad}}) == std::vector<std::string>{"bad"});
}
