#pragma once

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace troupe {

/// The parameters of `module` as two groups for an optimizer: first all others, then those below the submodule of this
/// name ("backbone"), which then can have a learning rate of their own. For configure_optimizers():
///   std::make_shared<torch::optim::SGD>(split_parameter_groups(*this, "backbone"), torch::optim::SGDOptions(0.1))
/// Throws ConfigError when either would be empty.
std::vector<torch::optim::OptimizerParamGroup> split_parameter_groups(const torch::nn::Module& module,
                                                                      const std::string& submodule);

/// Where the parameters below a submodule are among the parameter groups of a fit: indices in the order of
/// RunState::learning_rates().
struct SubmoduleGroups {
  std::vector<size_t> below;  ///< Groups that hold nothing else.
  size_t first_other = 0;     ///< The first group that holds none of them.
};
/// Throws ConfigError when a group holds parameters below the submodule and others, when no group holds any, and when
/// all groups do.
SubmoduleGroups find_submodule_groups(const torch::nn::Module& module, const std::string& submodule,
                                      const std::vector<std::reference_wrapper<torch::optim::Optimizer>>& optimizers);

/// Names of the parameters below a submodule, as in named_parameters(): those of BatchNorms, or all others.
struct SubmoduleParameters {
  std::vector<std::string> batch_norm;
  std::vector<std::string> others;
};
/// Throws ConfigError, with the names of the submodules that there are, when there is no submodule of this name or it
/// has no parameter.
SubmoduleParameters find_submodule_parameters(const torch::nn::Module& module, const std::string& submodule);

/// Lets the BatchNorms below a submodule train, or evaluate: then they normalise by their running statistics, and leave
/// these as they are.
void set_batch_norm_training(torch::nn::Module& module, const std::string& submodule, bool training);

}  // namespace troupe
