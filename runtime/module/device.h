#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

namespace troupe {

/// The device of this name, with its index: "cpu", "cuda" (the current one), "cuda:1". Throws ConfigError, with the
/// names of those that there are.
at::Device find_device(const std::string& name);

/// Where a module's first parameter is, or, without parameters, its first buffer; without either the CPU.
at::Device device_of(const torch::nn::Module& module);

/// Devices other than the CPU that hold parameters or buffers, each once, in the order in which the module has them.
std::vector<at::Device> accelerators_of(const torch::nn::Module& module);

}  // namespace troupe
