// The smallest program: a module, its data, a trainer, early stopping, and a callback of its own.
#include <iostream>

#include <troupe/troupe.h>

struct LinearRegression : troupe::Module {
  torch::nn::Linear linear{register_module("linear", torch::nn::Linear(3, 1))};

  at::Tensor training_step(const troupe::Batch& batch, int64_t) override {
    const auto loss = torch::mse_loss(linear(batch.data), batch.target);
    log("loss", loss, {.on_epoch = true, .prog_bar = true});
    return loss;
  }
  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), 0.1)}};
  }
};

struct Data : troupe::DataModule {
  std::shared_ptr<troupe::DataLoader> train_dataloader() override {
    const auto x = torch::randn({256, 3});
    const auto y = x.matmul(torch::tensor({{1.0F}, {-2.0F}, {0.5F}}));
    return troupe::make_data_loader(std::make_shared<troupe::TensorDataset>(x, y), {.batch_size = 16, .shuffle = true});
  }
};

struct Printer {  // An observer: it runs on another thread, and the loop does not wait for it.
  void on(const troupe::TrainEpochEnded&, const troupe::RunState& run) {
    std::cout << "epoch " << run.epoch() << " loss " << *run.metric("loss_epoch") << '\n';
  }
};

int main() {
  torch::manual_seed(0);
  LinearRegression module;
  Data data;
  troupe::Trainer trainer({.max_epochs = 50, .name = "quickstart"});
  trainer.add(troupe::EarlyStopping({.min_delta = 1e-4, .monitor = "loss_epoch"}));
  trainer.add(Printer());
  std::cout << trainer.fit(module, data).reason << '\n';
}
