#include "troupe/callbacks/common/step_gradients.h"

#include <doctest/doctest.h>

#include "tests/support/small_fit.h"

using namespace troupe;

TEST_CASE("the gradients of a step are those of its optimizer's parameters that have one") {
  const auto head_only = [](SmallModule& module) {
    return OptimizerConfig{.optimizer = std::make_shared<torch::optim::SGD>(
                               module.named_children()["head"]->parameters(), torch::optim::SGDOptions(0.1))};
  };
  SmallFit fit(small_options(), head_only);
  std::vector<std::string> names;
  fit.live<OptimizerStepStarted>([&](const OptimizerStepStarted& event, Live& live) {
    names.clear();
    for (const auto& found : step_gradients(live, event.optimizer())) {
      names.push_back(found.name);
      CHECK(found.gradient.is_same(live.module().named_parameters()[found.name].grad()));
      CHECK(found.parameter.is_same(live.module().named_parameters()[found.name]));
    }
    live.module().named_parameters()["head.weight"].mutable_grad().reset();
    REQUIRE(step_gradients(live, event.optimizer()).size() == 1);
    CHECK(step_gradients(live, event.optimizer())[0].name == "head.bias");
  });
  fit.run();
  CHECK(names == std::vector<std::string>{"head.weight", "head.bias"});
}

TEST_CASE("the layer of a parameter is the submodule that has it") {
  CHECK(layer_of("backbone.0.weight") == "backbone.0");
  CHECK(layer_of("scale") == "scale");
}

TEST_CASE("a sparse gradient has the elements that are stored, each index once") {
  const auto indices = torch::tensor({{1, 1, 3}}, at::kLong);
  const auto sparse = torch::sparse_coo_tensor(indices, torch::tensor({2.0, 3.0, 4.0}), {5});
  CHECK(stored_elements(sparse).equal(torch::tensor({5.0, 4.0})));
  const auto dense = torch::ones({2});
  CHECK(stored_elements(dense).is_same(dense));
}
