#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <troupe/runtime/data/data_module.h>
#include <troupe/runtime/module/module.h>
#include <troupe/runtime/options/trainer_options.h>

/// A model and data that are as small as they can be, so that the programs beside this file are about callbacks.
namespace toy {

/// Two layers, "backbone" and "head", trained by SGD with rate 0.005. Logs train_loss at every step, val_loss and
/// val_mae at every validation.
class Net : public troupe::Module {
 public:
  Net();
  at::Tensor training_step(const troupe::Batch& batch, int64_t batch_index) override;
  void validation_step(const troupe::Batch& batch, int64_t batch_index) override;
  at::Tensor predict_step(const troupe::Batch& batch, int64_t batch_index) override;
  std::vector<troupe::OptimizerConfig> configure_optimizers() override;

 private:
  at::Tensor forward(const at::Tensor& data);

  torch::nn::Linear backbone_{nullptr};
  torch::nn::Linear head_{nullptr};
};

/// A smooth function of 4 numbers: 256 samples to train on in 8 batches, 64 to validate and predict in 2. The same
/// numbers in every process.
class Data : public troupe::DataModule {
 public:
  Data();
  std::shared_ptr<troupe::DataLoader> train_dataloader() override;
  std::shared_ptr<troupe::DataLoader> val_dataloader() override;
  std::shared_ptr<troupe::DataLoader> predict_dataloader() override { return val_dataloader(); }

 private:
  at::Tensor inputs_;   ///< (320, 4) float.
  at::Tensor targets_;  ///< (320, 1) float.
};

/// The main function of a program: `body` gets trainer options for a quiet run without checkpoints, named after the
/// program, and does the rest. The one argument that the program takes is `--run-dir DIR`. Returns the exit status: 0;
/// 1 after an error of the run; 2 for wrong arguments or options. Errors are one line on standard error.
int run(int argc, char** argv, const std::function<void(troupe::TrainerOptions options)>& body);

}  // namespace toy
