#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace troupe {

/// The values of tensors of one element each, in their order, with one copy, and so one synchronisation, for each
/// device that they are on.
std::vector<double> read_scalars(const std::vector<at::Tensor>& scalars);

}  // namespace troupe
