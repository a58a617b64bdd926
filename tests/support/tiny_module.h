#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <vector>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/data/fixed_batches.h"
#include "troupe/runtime/module/module.h"

namespace troupe {

/// A linear regression that logs "loss" at every step and "val_loss" at every validation.
class TinyModule : public Module {
 public:
  explicit TinyModule(int64_t outputs = 2) { linear_ = register_module("linear", torch::nn::Linear(4, outputs)); }
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    if (in_training_step) {
      in_training_step(batch_index);
    }
    const auto loss = torch::mse_loss(linear_->forward(batch.data), batch.target);
    log("loss", loss);
    return loss;
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
    log("val_loss", torch::mse_loss(linear_->forward(batch.data), batch.target));
  }
  void test_step(const Batch& batch, int64_t /*batch_index*/) override {
    log("test_loss", torch::mse_loss(linear_->forward(batch.data), batch.target));
  }
  at::Tensor predict_step(const Batch& batch, int64_t /*batch_index*/) override { return linear_->forward(batch.data); }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), torch::optim::SGDOptions(0.1))}};
  }

  std::function<void(int64_t batch_index)> in_training_step;

 private:
  torch::nn::Linear linear_{nullptr};
};

/// The same few batches for every stage.
class TinyData : public DataModule {
 public:
  explicit TinyData(int64_t train_batches = 4, int64_t outputs = 2)
      : train_batches_(train_batches), outputs_(outputs) {}
  std::shared_ptr<DataLoader> train_dataloader() override { return batches(train_batches_); }
  std::shared_ptr<DataLoader> val_dataloader() override { return batches(2); }
  std::shared_ptr<DataLoader> test_dataloader() override { return batches(2); }
  std::shared_ptr<DataLoader> predict_dataloader() override { return batches(3); }

 private:
  std::shared_ptr<DataLoader> batches(int64_t number) const {
    const Batch batch{torch::ones({3, 4}), torch::zeros({3, outputs_}), {}};
    return std::make_shared<FixedBatches>(std::vector<Batch>(static_cast<size_t>(number), batch));
  }
  int64_t train_batches_;
  int64_t outputs_;
};

/// All parameters of a module in a row.
inline std::vector<float> weights_of(const torch::nn::Module& module) {
  std::vector<float> weights;
  for (const auto& parameter : module.parameters()) {
    const auto flat = parameter.detach().contiguous().view(-1);
    weights.insert(weights.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  }
  return weights;
}

}  // namespace troupe
