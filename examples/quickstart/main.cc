// The smallest program on Troupe: fits a line, stops when it no longer gets better, and keeps the losses it saw.
#include <torch/torch.h>

#include <iostream>

#include "actors/trainer.h"
#include "callbacks/early_stopping.h"
#include "runtime/tensor_dataset.h"

struct LineModule : troupe::Module {
  LineModule() { linear = register_module("linear", torch::nn::Linear(1, 1)); }
  at::Tensor training_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    return torch::mse_loss(linear->forward(batch.data), batch.target);
  }
  void validation_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    log("val_loss", torch::mse_loss(linear->forward(batch.data), batch.target));
  }
  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), torch::optim::SGDOptions(0.1))}};
  }
  torch::nn::Linear linear{nullptr};
};

struct LineData : troupe::DataModule {
  at::Tensor x = torch::linspace(-1, 1, 64).unsqueeze(1);
  std::shared_ptr<troupe::TensorDataset> points = std::make_shared<troupe::TensorDataset>(x, 3 * x + 1);
  std::shared_ptr<troupe::DataLoader> train_dataloader() override {
    return troupe::make_data_loader(points, {.batch_size = 16, .shuffle = true});
  }
  std::shared_ptr<troupe::DataLoader> val_dataloader() override {
    return troupe::make_data_loader(points, {.batch_size = 64});
  }
};

struct LossHistory {  // An observer: the loop does not wait for it.
  void on(const troupe::ValidationEnded& /*event*/, const troupe::RunState& run) {
    losses.push_back(run.metrics().at("val_loss"));
  }
  std::vector<double> losses;
};

int main() {
  torch::manual_seed(0);
  LineModule module;
  LineData data;
  troupe::Trainer trainer(troupe::TrainerOptions{.max_epochs = 100, .name = "quickstart"});
  trainer.add(troupe::EarlyStopping({.monitor = "val_loss", .min_delta = 1e-4, .patience = 3}));
  const auto history = trainer.add(LossHistory());
  const auto result = trainer.fit(module, data);
  std::cout << result.reason << "\nloss " << history.get().losses.front() << " -> " << history.get().losses.back()
            << "\nlog and checkpoints in " << result.run_dir << '\n';
}
