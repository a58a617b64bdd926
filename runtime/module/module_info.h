#pragma once

#include <torch/nn/module.h>
#include <troupe/v1/event.pb.h>

#include <vector>

namespace troupe {

/// What a model is made of: the module itself (depth 0, name ""), then every submodule in registration order, parents
/// first. Parameters that several submodules share count once in each.
std::vector<v1::ModuleInfo> module_infos(const torch::nn::Module& module);

}  // namespace troupe
