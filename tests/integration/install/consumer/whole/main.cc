#include <troupe/troupe.h>

#include <iostream>

#include "actors/trainer.h"

namespace {

struct Regression : troupe::Module {
  torch::nn::Linear linear{register_module("linear", torch::nn::Linear(2, 1))};

  at::Tensor training_step(const troupe::Batch& batch, int64_t /*index*/) override {
    return torch::mse_loss(linear(batch.data), batch.target);
  }
  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), 0.1)}};
  }
};

struct Ones : troupe::DataModule {
  std::shared_ptr<troupe::DataLoader> train_dataloader() override {
    return troupe::make_data_loader(std::make_shared<troupe::TensorDataset>(torch::ones({8, 2}), torch::ones({8, 1})),
                                    {.batch_size = 4});
  }
};

}  // namespace

int main(int /*argc*/, char** argv) {
  Regression module;
  Ones data;
  troupe::TrainerOptions options;
  options.max_epochs = 2;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.run_dir = argv[1];
  troupe::Trainer trainer(options);
  std::cout << trainer.fit(module, data).state.global_step() << " " << own_trainer() << "\n";
}
