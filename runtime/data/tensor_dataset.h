#pragma once

#include <functional>

#include "troupe/runtime/data/dataset.h"

namespace troupe {

/// What is done to a sample each time it is taken, such as augmentation. It draws only from `generator`, must not write
/// into the tensors it is given (they are views of the dataset), and runs on several threads at once.
using Transform = std::function<Example(Example, at::Generator& generator)>;

/// Samples in memory: sample i is row i of each tensor. The tensors are shared with the caller, not copied; without a
/// transform a batch is one index_select a tensor, on the tensors' device.
class TensorDataset final : public Dataset {
 public:
  /// `data` and `target` have one row a sample in dimension 0; `target` may be undefined. Throws ConfigError if `data`
  /// is undefined or has no dimension, or if the two have different numbers of rows.
  explicit TensorDataset(at::Tensor data, at::Tensor target = {}, Transform transform = {});

  int64_t size() const override { return data_.size(0); }
  Example get(int64_t index, at::Generator& generator) const override;
  Batch get_batch(std::span<const int64_t> indices, BatchRandomness& randomness) const override;

 private:
  at::Tensor data_;
  at::Tensor target_;
  Transform transform_;
};

}  // namespace troupe
