#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/data/tensor_dataset.h"

namespace troupe::test {

/// Targets are the dataset indices; data is random, drawn from the sample's stream.
inline std::shared_ptr<const Dataset> noisy_dataset(int64_t size) {
  return std::make_shared<TensorDataset>(torch::zeros({size, 3}), torch::arange(size),
                                         [](Example example, at::Generator& generator) {
                                           example.data = torch::rand({3}, generator);
                                           return example;
                                         });
}

/// A dataset whose sample at an index is what a function makes of it.
class FunctionDataset final : public Dataset {
 public:
  FunctionDataset(int64_t size, std::function<at::Tensor(int64_t)> function)
      : size_(size), function_(std::move(function)) {}
  int64_t size() const override { return size_; }
  Example get(int64_t index, at::Generator&) const override { return {function_(index), {}}; }

 private:
  int64_t size_;
  std::function<at::Tensor(int64_t)> function_;
};

/// The batches from the loader's position, which is `first_batch`, to the end of the epoch.
inline std::vector<Batch> rest_of_epoch(DataLoader& loader, int64_t first_batch = 0) {
  std::vector<Batch> batches;
  for (int64_t i = first_batch; i < loader.batches(); ++i) {
    batches.push_back(loader.next());
  }
  return batches;
}

}  // namespace troupe::test
