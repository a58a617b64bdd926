#include "examples/callbacks/toy.h"

#include <torch/torch.h>

#include <filesystem>
#include <iostream>

#include <troupe/runtime/base/error.h>
#include <troupe/runtime/data/tensor_dataset.h>
#include <troupe/runtime/module/seed.h>

namespace toy {
namespace {

constexpr int64_t kTrainSamples = 256;
constexpr int64_t kSamples = 320;
constexpr int64_t kBatchSize = 32;

}  // namespace

Net::Net() {
  backbone_ = register_module("backbone", torch::nn::Linear(4, 8));
  head_ = register_module("head", torch::nn::Linear(8, 1));
}

at::Tensor Net::forward(const at::Tensor& data) {
  return head_->forward(torch::tanh(backbone_->forward(data)));
}

at::Tensor Net::training_step(const troupe::Batch& batch, int64_t /*batch_index*/) {
  const auto loss = torch::mse_loss(forward(batch.data), batch.target);
  log("train_loss", loss);
  return loss;
}

void Net::validation_step(const troupe::Batch& batch, int64_t /*batch_index*/) {
  const auto prediction = forward(batch.data);
  log("val_loss", torch::mse_loss(prediction, batch.target));
  log("val_mae", torch::l1_loss(prediction, batch.target));
}

at::Tensor Net::predict_step(const troupe::Batch& batch, int64_t /*batch_index*/) {
  return forward(batch.data);
}

std::vector<troupe::OptimizerConfig> Net::configure_optimizers() {
  return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), 0.005)}};
}

Data::Data() {
  inputs_ = torch::linspace(-2, 2, kSamples * 4).mul(37).sin().reshape({kSamples, 4});
  targets_ = torch::sin(inputs_.sum(1, /*keepdim=*/true) / 2) + 1;
}

std::shared_ptr<troupe::DataLoader> Data::train_dataloader() {
  return troupe::make_data_loader(
      std::make_shared<troupe::TensorDataset>(inputs_.slice(0, 0, kTrainSamples), targets_.slice(0, 0, kTrainSamples)),
      {.batch_size = kBatchSize, .shuffle = true});
}

std::shared_ptr<troupe::DataLoader> Data::val_dataloader() {
  return troupe::make_data_loader(
      std::make_shared<troupe::TensorDataset>(inputs_.slice(0, kTrainSamples), targets_.slice(0, kTrainSamples)),
      {.batch_size = kBatchSize});
}

int run(int argc, char** argv, const std::function<void(troupe::TrainerOptions options)>& body) {
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool with_run_dir = arguments.size() == 2 && arguments[0] == "--run-dir" && !arguments[1].empty();
  if (!arguments.empty() && !with_run_dir) {
    std::cerr << name << ": the only argument is --run-dir DIR, the folder for what the run writes; by default it is "
              << "runs/" << name << "/<run id>\n";
    return 2;
  }
  troupe::TrainerOptions options{.enable_checkpointing = false,
                                 .enable_model_summary = false,
                                 .enable_progress_bar = false,
                                 .max_epochs = 4,
                                 .name = name,
                                 .run_dir = with_run_dir ? arguments[1] : ""};
  try {
    troupe::seed_everything(options.seed);
    body(std::move(options));
    return 0;
  } catch (const troupe::ConfigError& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace toy
