#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

inline constexpr int64_t kNoisyTrainBatches = 15;
inline constexpr int64_t kNoisyValidationBatches = 3;

/// A module with everything that a resumed run has to bring back: dropout, BatchNorm, a submodule in eval mode, a
/// frozen parameter, Adam with a cosine schedule by the step, a member that only on_save_checkpoint keeps.
class NoisyModule : public Module {
 public:
  /// `optimizer_steps`: of the whole run.
  explicit NoisyModule(int64_t optimizer_steps) : optimizer_steps_(optimizer_steps) {
    input_ = register_module("input", torch::nn::Linear(8, 16));
    norm_ = register_module("norm", torch::nn::BatchNorm1d(16));
    frozen_norm_ = register_module("frozen_norm", torch::nn::BatchNorm1d(16));
    dropout_ = register_module("dropout", torch::nn::Dropout(0.3));
    output_ = register_module("output", torch::nn::Linear(16, 2));
    scale_ = register_parameter("scale", torch::ones({2}));
  }

  void on_fit_start() override {
    frozen_norm_->eval();
    scale_.set_requires_grad(false);
  }
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    if (on_training_step) {
      on_training_step(batch_index);
    }
    const auto loss = torch::mse_loss(forward(batch.data), batch.target);
    log("loss", loss, {.on_epoch = true, .on_step = true});
    log("seen", static_cast<double>(++seen_), {.on_step = true});
    if (current_epoch() == 0) {
      log("first_epoch_loss", loss);
    }
    return loss;
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
    if (on_validation_step) {
      on_validation_step();
    }
    log("val_loss", torch::mse_loss(forward(batch.data), batch.target));
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.interval = OptimizerConfig::Interval::kStep,
             .lr_schedule = lr_schedule::cosine(optimizer_steps_),
             .optimizer = std::make_shared<torch::optim::Adam>(parameters(), torch::optim::AdamOptions(1e-2))}};
  }

  void on_save_checkpoint(StateDict& state) override { state.set("seen", seen_); }
  void on_load_checkpoint(const StateDict& state) override { seen_ = state.empty() ? 0 : state.get_int("seen"); }

  std::function<void(int64_t batch_index)> on_training_step;
  std::function<void()> on_validation_step;

 private:
  at::Tensor forward(const at::Tensor& data) {
    const auto hidden = frozen_norm_->forward(norm_->forward(torch::relu(input_->forward(data))));
    return output_->forward(dropout_->forward(hidden)) * scale_;
  }

  int64_t optimizer_steps_;
  int64_t seen_ = 0;
  torch::nn::Linear input_{nullptr};
  torch::nn::BatchNorm1d norm_{nullptr};
  torch::nn::BatchNorm1d frozen_norm_{nullptr};
  torch::nn::Dropout dropout_{nullptr};
  torch::nn::Linear output_{nullptr};
  at::Tensor scale_;
};

/// 60 samples in batches of 4, shuffled, with noise that worker threads add. How much is its state.
class NoisyData : public DataModule {
 public:
  /// `restores`: without noise, until it gets its state.
  explicit NoisyData(bool restores = false) : noise_(restores ? 0 : 0.1) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const auto data = torch::randn({60, 8}, generator);
    const auto target = torch::stack({data.sum(1), data.prod(1)}, 1);
    train_ = std::make_shared<TensorDataset>(data, target, [this](Example example, at::Generator& generator) {
      example.data = example.data + at::randn(example.data.sizes(), generator) * noise_;
      return example;
    });
    validation_ = std::make_shared<TensorDataset>(data.slice(0, 0, 12), target.slice(0, 0, 12));
  }
  StateDict state_dict() const override {
    StateDict state;
    state.set("noise", noise_);
    return state;
  }
  void load_state_dict(const StateDict& state) override { noise_ = state.empty() ? noise_ : state.get_double("noise"); }
  std::shared_ptr<DataLoader> train_dataloader() override {
    return make_data_loader(train_, {.batch_size = 4, .num_workers = 2, .seed = 5, .shuffle = true});
  }
  std::shared_ptr<DataLoader> val_dataloader() override { return make_data_loader(validation_, {.batch_size = 4}); }

 private:
  double noise_;
  std::shared_ptr<Dataset> train_;
  std::shared_ptr<Dataset> validation_;
};

}  // namespace troupe
