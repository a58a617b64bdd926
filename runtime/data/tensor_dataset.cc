#include "troupe/runtime/data/tensor_dataset.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

int64_t rows(const at::Tensor& tensor, const char* name) {
  if (!tensor.defined() || tensor.dim() == 0) {
    throw ConfigError(std::string("TensorDataset: ") + name + " must have a dimension 0 that counts the samples");
  }
  return tensor.size(0);
}

}  // namespace

TensorDataset::TensorDataset(at::Tensor data, at::Tensor target, Transform transform)
    : data_(std::move(data)), target_(std::move(target)), transform_(std::move(transform)) {
  const int64_t samples = rows(data_, "data");
  if (target_.defined() && rows(target_, "target") != samples) {
    throw ConfigError("TensorDataset: data has " + std::to_string(samples) + " rows and target has " +
                      std::to_string(target_.size(0)) + "; they must have one row a sample each");
  }
}

Example TensorDataset::get(int64_t index, at::Generator& generator) const {
  Example example{.data = data_.select(0, index),
                  .target = target_.defined() ? target_.select(0, index) : at::Tensor()};
  return transform_ ? transform_(std::move(example), generator) : example;
}

Batch TensorDataset::get_batch(std::span<const int64_t> indices, BatchRandomness& randomness) const {
  if (transform_) {
    return Dataset::get_batch(indices, randomness);
  }
  // from_blob takes no pointer to const; nothing writes through it, and it does not outlive this call.
  at::Tensor index =
      at::from_blob(const_cast<int64_t*>(indices.data()), {static_cast<int64_t>(indices.size())}, at::kLong);
  if (!data_.is_cpu()) {
    index = index.to(data_.device());
  }
  return {.data = data_.index_select(0, index),
          .target = target_.defined() ? target_.index_select(0, index) : at::Tensor(),
          .more = {}};
}

}  // namespace troupe
