#pragma once

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>
#include <troupe/v1/checkpoint.pb.h>

#include <string>
#include <vector>

#include "troupe/runtime/module/snapshot.h"

namespace troupe {

/// Class of an optimizer as users know it: "Adam", "SGD", ...
std::string optimizer_type(const torch::optim::Optimizer& optimizer);

/// Throws ConfigError when the state of this optimizer cannot be kept: for LBFGS, and for every class that is not
/// LibTorch's own, also one that derives from it or has its name, since it may keep what nobody knows of.
void require_known_optimizer(const torch::optim::Optimizer& optimizer);

/// Throws ConfigError when the optimizer holds a parameter that is not registered with the module: a checkpoint cannot
/// name it.
void require_named_parameters(torch::optim::Optimizer& optimizer, const torch::nn::Module& module);

/// Momentum (SGD, RMSprop) or first beta (Adam, AdamW) of a group; 0 where the optimizer has none.
double momentum_of(torch::optim::OptimizerParamGroup& group);
double weight_decay_of(torch::optim::OptimizerParamGroup& group);
/// Whether the optimizer has a momentum or betas.
bool has_momentum(torch::optim::OptimizerParamGroup& group);
bool is_nesterov(torch::optim::OptimizerParamGroup& group);
/// Sets the momentum or the first beta of a group of `optimizer`, which must have one, and adds the buffers that
/// RMSprop makes only at a parameter's first step.
void set_momentum_of(torch::optim::Optimizer& optimizer, torch::optim::OptimizerParamGroup& group, double momentum);

/// Copies options and state. Tensors go to `tensors` as "optimizer.<index>.<parameter>.<field>", everything else to the
/// result, which lacks what the schedule keeps. `module` names the parameters; one that is not the module's is a
/// ConfigError.
v1::OptimizerState capture_optimizer(torch::optim::Optimizer& optimizer, const torch::nn::Module& module, int index,
                                     TensorCopies& copies);

/// Tensors of the names, shapes and dtypes that capture_optimizer copies once every parameter that takes a gradient has
/// been through a step; they are the parameters themselves, so what they hold means nothing.
std::vector<NamedTensor> tensors_like_state(torch::optim::Optimizer& optimizer, const torch::nn::Module& module,
                                            int index);

/// Throws MismatchError when the optimizer is of another class than the state's, or its groups hold other parameters.
void require_matching_optimizer(torch::optim::Optimizer& optimizer, const torch::nn::Module& module,
                                const v1::OptimizerState& state);

/// Puts back what capture_optimizer copied. Throws MismatchError, before anything is changed, when the optimizer is of
/// another class or its groups hold other parameters.
void restore_optimizer(torch::optim::Optimizer& optimizer, const torch::nn::Module& module, int index,
                       const v1::OptimizerState& state, const std::vector<NamedTensor>& tensors);

}  // namespace troupe
