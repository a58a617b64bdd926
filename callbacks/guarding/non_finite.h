#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace troupe {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// The names of those that hold a NaN or an infinity, in their order. Tensors that are not of a real floating type have
/// none. Where all are finite, each device is read once.
std::vector<std::string> non_finite_names(const NamedTensors& tensors);

}  // namespace troupe
