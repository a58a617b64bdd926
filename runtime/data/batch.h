#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace troupe {

/// One sample of a dataset: any shapes and dtypes, the same for every sample of a dataset that is batched by stacking.
struct Example {
  at::Tensor data;
  at::Tensor target;  ///< Undefined where the dataset has no targets.
};

/// Samples that go through the model together; dimension 0 of every tensor counts them.
struct Batch {
  at::Tensor data;
  at::Tensor target;             ///< Undefined where the dataset has no targets.
  std::vector<at::Tensor> more;  ///< What else a dataset gives: masks, weights, second inputs.

  /// Number of samples: dimension 0 of `data`; 0 when `data` is undefined or has no dimension.
  int64_t size() const { return data.defined() && data.dim() > 0 ? data.size(0) : 0; }
};

}  // namespace troupe
