#include "troupe/callbacks/finetuning/parameter_groups.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

using Optimizers = std::vector<std::reference_wrapper<torch::optim::Optimizer>>;

std::vector<std::string> names_in(const torch::nn::Module& module, const torch::optim::OptimizerParamGroup& group) {
  std::vector<std::string> names;
  for (const auto& held : group.params()) {
    for (const auto& parameter : module.named_parameters()) {
      if (parameter.value().is_same(held)) {
        names.push_back(parameter.key());
      }
    }
  }
  return names;
}

}  // namespace

TEST_CASE("the parameters of a module are split into those below a submodule and all others") {
  SmallModule module;
  const auto groups = split_parameter_groups(module, "backbone");
  REQUIRE(groups.size() == 2);
  CHECK(names_in(module, groups[0]) == std::vector<std::string>{"head.weight", "head.bias"});
  CHECK(names_in(module, groups[1]) ==
        std::vector<std::string>{"backbone.0.weight", "backbone.0.bias", "backbone.1.weight", "backbone.1.bias"});
  CHECK_THROWS_WITH_AS(split_parameter_groups(module, "backbon"), doctest::Contains("'backbone'"), ConfigError);
  CHECK_THROWS_AS(split_parameter_groups(module, "backbone.2"), ConfigError);  // Dropout.
  torch::nn::Sequential all(torch::nn::Linear(1, 1));
  CHECK_THROWS_WITH_AS(split_parameter_groups(*all, "0"), doctest::Contains("nothing to split"), ConfigError);
}

TEST_CASE("the groups of a submodule are found over all optimizers") {
  SmallModule module;
  const auto groups = split_parameter_groups(module, "backbone");
  torch::optim::SGD both(groups, torch::optim::SGDOptions(0.1));
  const auto found = find_submodule_groups(module, "backbone", Optimizers{both});
  CHECK(found.below == std::vector<size_t>{1});
  CHECK(found.first_other == 0);

  torch::optim::SGD first(groups[1].params(), torch::optim::SGDOptions(0.1));
  torch::optim::SGD second(groups[0].params(), torch::optim::SGDOptions(0.1));
  const auto over_two = find_submodule_groups(module, "backbone", Optimizers{first, second});
  CHECK(over_two.below == std::vector<size_t>{0});
  CHECK(over_two.first_other == 1);
}

TEST_CASE("groups in which a submodule is not by itself are refused") {
  SmallModule module;
  const auto groups = split_parameter_groups(module, "backbone");
  torch::optim::SGD mixed(module.parameters(), torch::optim::SGDOptions(0.1));
  CHECK_THROWS_WITH_AS(find_submodule_groups(module, "backbone", Optimizers{mixed}),
                       doctest::Contains("split_parameter_groups"), ConfigError);
  torch::optim::SGD head(groups[0].params(), torch::optim::SGDOptions(0.1));
  CHECK_THROWS_WITH_AS(find_submodule_groups(module, "backbone", Optimizers{head}),
                       doctest::Contains("no optimizer holds"), ConfigError);
  torch::optim::SGD backbone(groups[1].params(), torch::optim::SGDOptions(0.1));
  CHECK_THROWS_WITH_AS(find_submodule_groups(module, "backbone", Optimizers{backbone}),
                       doctest::Contains("no parameters but"), ConfigError);
}

TEST_CASE("the parameters of BatchNorms below a submodule are told from the others") {
  SmallModule module;
  const auto found = find_submodule_parameters(module, "backbone");
  CHECK(found.batch_norm == std::vector<std::string>{"backbone.1.weight", "backbone.1.bias"});
  CHECK(found.others == std::vector<std::string>{"backbone.0.weight", "backbone.0.bias"});
  CHECK(find_submodule_parameters(module, "head").batch_norm.empty());
  CHECK_THROWS_AS(find_submodule_parameters(module, "back"), ConfigError);
}

TEST_CASE("the BatchNorms below a submodule change their mode alone") {
  SmallModule module;
  module.train();
  set_batch_norm_training(module, "backbone", false);
  const auto modules = module.named_modules("", /*include_self=*/false);
  CHECK_FALSE(modules["backbone.1"]->is_training());
  CHECK(modules["backbone"]->is_training());
  CHECK(modules["backbone.0"]->is_training());
  CHECK(modules["backbone.2"]->is_training());
  set_batch_norm_training(module, "backbone.1", true);
  CHECK(modules["backbone.1"]->is_training());
}
