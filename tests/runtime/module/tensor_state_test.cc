#include "troupe/runtime/module/tensor_state.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <limits>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

StateDict tensor_state(const std::vector<NamedTensor>& tensors) {
  StateDict state;
  set_tensors(state, "tensors", tensors);
  return StateDict(state.proto());
}

/// A state of one tensor "a" of 2 x 3 floats, with one entry of it changed.
template <class Value>
StateDict with_changed_entry(const std::string& name, const Value& value) {
  StateDict state = tensor_state({{"a", torch::zeros({2, 3})}});
  StateDict tensors = state.get_dict("tensors");
  StateDict entry = tensors.get_dict("a");
  entry.set(name, value);
  tensors.set("a", entry);
  state.set("tensors", tensors);
  return state;
}

}  // namespace

TEST_CASE("tensors come out of a state dict as they went in, in their order") {
  const auto odd = torch::tensor({0.1, -0.0, std::numeric_limits<double>::quiet_NaN(), 1e300}, torch::kDouble);
  const std::vector<NamedTensor> tensors = {{"z.weight", torch::randn({2, 3})},
                                            {"a.bias", odd},
                                            {"m.count", torch::tensor(7, torch::kLong)},
                                            {"none", torch::empty({0, 4})},
                                            {"mask", torch::tensor({true, false}, torch::kBool)},
                                            {"half", torch::randn({3}).to(torch::kBFloat16)},
                                            {"turned", torch::randn({2, 3}).t()}};
  const auto read = get_tensors(tensor_state(tensors), "tensors");
  REQUIRE(read.size() == tensors.size());
  for (size_t i = 0; i < read.size(); ++i) {
    CAPTURE(tensors[i].name);
    const at::Tensor wanted = tensors[i].tensor.contiguous();
    CHECK(read[i].name == tensors[i].name);
    CHECK((read[i].tensor.scalar_type() == wanted.scalar_type()));
    CHECK((read[i].tensor.sizes() == wanted.sizes()));
    REQUIRE(read[i].tensor.nbytes() == wanted.nbytes());
    CHECK(std::string(static_cast<const char*>(read[i].tensor.data_ptr()), wanted.nbytes()) ==
          std::string(static_cast<const char*>(wanted.data_ptr()), wanted.nbytes()));
  }
  CHECK(get_tensors(tensor_state({}), "tensors").empty());
}

TEST_CASE("a tensor with a graph is kept by its values") {
  auto weight = torch::ones({2}).set_requires_grad(true);
  const auto read = get_tensors(tensor_state({{"w", weight * 3}}), "tensors");
  CHECK(read[0].tensor.equal(torch::full({2}, 3.0F)));
  CHECK_FALSE(read[0].tensor.requires_grad());
}

TEST_CASE("a tensor of a type that checkpoints do not have is refused by its name") {
  StateDict state;
  CHECK_THROWS_WITH_AS(set_tensors(state, "tensors", {{"wave", torch::zeros({2}, torch::kComplexFloat)}}),
                       doctest::Contains("'wave'"), ConfigError);
}

TEST_CASE("tensors that do not fit what is said of them are damage") {
  CHECK_NOTHROW(get_tensors(with_changed_entry("index", 0), "tensors"));
  CHECK_THROWS_AS(get_tensors(with_changed_entry("index", 1), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("index", -1), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("dtype", "float128"), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("dtype", "float64"), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("shape", std::vector<double>{2, 4}), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("shape", std::vector<double>{-2, -3}), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(with_changed_entry("shape", std::vector<double>{1.5, 4}), "tensors"), CorruptionError);
  CHECK_THROWS_AS(get_tensors(StateDict(), "tensors"), CorruptionError);
}
