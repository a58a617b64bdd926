#include "troupe/runtime/data/dataset.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/stack.h>

#include <exception>
#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/random_key.h"
#include "troupe/runtime/callback/exception_text.h"

namespace troupe {
namespace {

class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Example get(int64_t index, at::Generator& generator) const override {
    return dataset_->get(indices_[index], generator);
  }
  Batch get_batch(std::span<const int64_t> indices, BatchRandomness& randomness) const override {
    std::vector<int64_t> inner;
    inner.reserve(indices.size());
    for (const int64_t index : indices) {
      inner.push_back(indices_[index]);
    }
    return dataset_->get_batch(inner, randomness);
  }

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::vector<int64_t> indices_;
};

DataError failed_sample(int64_t index, const std::string& text) {
  return DataError("dataset: sample " + std::to_string(index) + ": " + text);
}

Example get_example(const Dataset& dataset, int64_t index, BatchRandomness& randomness) {
  try {
    return dataset.get(index, randomness.generator(index));
  } catch (...) {
    std::throw_with_nested(failed_sample(index, current_exception_text()));
  }
}

/// Stacks what will be one tensor of a batch; an undefined tensor if the samples have none.
at::Tensor stack(const std::vector<at::Tensor>& tensors, std::span<const int64_t> indices, const char* name) {
  const at::Tensor& first = tensors.front();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor& tensor = tensors[i];
    const bool fits = tensor.defined() == first.defined() &&
                      (!tensor.defined() || (tensor.sizes() == first.sizes() && tensor.dtype() == first.dtype()));
    if (!fits) {
      throw failed_sample(indices[i], std::string("its ") + name + " has another shape or dtype than that of sample " +
                                          std::to_string(indices.front()));
    }
  }
  return first.defined() ? at::stack(tensors) : at::Tensor();
}

}  // namespace

BatchRandomness::BatchRandomness() : generator_(at::make_generator<at::CPUGeneratorImpl>()) {}

void BatchRandomness::set_epoch(uint64_t seed, int64_t epoch) {
  seed_ = seed;
  epoch_ = static_cast<uint64_t>(epoch);
}

at::Generator& BatchRandomness::generator(int64_t index) {
  generator_.set_current_seed(random_key(seed_, epoch_, index));
  return generator_;
}

Batch Dataset::get_batch(std::span<const int64_t> indices, BatchRandomness& randomness) const {
  if (indices.empty()) {
    return {};
  }
  std::vector<at::Tensor> data;
  std::vector<at::Tensor> targets;
  data.reserve(indices.size());
  targets.reserve(indices.size());
  for (const int64_t index : indices) {
    Example example = get_example(*this, index, randomness);
    data.push_back(std::move(example.data));
    targets.push_back(std::move(example.target));
  }
  return {.data = stack(data, indices, "data"), .target = stack(targets, indices, "target"), .more = {}};
}

std::shared_ptr<const Dataset> subset(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> indices) {
  for (const int64_t index : indices) {
    if (index < 0 || index >= dataset->size()) {
      throw ConfigError("subset: index " + std::to_string(index) + " is outside the dataset, which has " +
                        std::to_string(dataset->size()) + " samples");
    }
  }
  return std::make_shared<Subset>(std::move(dataset), std::move(indices));
}

}  // namespace troupe
