#pragma once

#include <troupe/troupe.h>

#include "spirals.h"

// begin model options
struct ModelOptions {
  int64_t hidden = 64;
  double lr = 1e-2;

  void describe(troupe::OptionVisitor& visit) {
    visit("hidden", hidden, "Features of each hidden layer.").at_least(1);
    visit("lr", lr, "Learning rate of Adam.").greater_than(0);
  }
};
// end model options

// begin module
class Classifier : public troupe::Module {
 public:
  explicit Classifier(const ModelOptions& options) : options_(options) {
    net_ = register_module("net", torch::nn::Sequential(torch::nn::Linear(2, options.hidden), torch::nn::Tanh(),
                                                        torch::nn::Linear(options.hidden, options.hidden),
                                                        torch::nn::Tanh(), torch::nn::Linear(options.hidden, kArms)));
  }

  /// Points float32 [N, 2] to logits [N, kArms].
  at::Tensor forward(const at::Tensor& points) { return net_->forward(points); }

  at::Tensor training_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    const auto loss = torch::nn::functional::cross_entropy(forward(batch.data), batch.target);
    log("train_loss", loss, {.on_epoch = true, .on_step = true, .prog_bar = true});
    return loss;
  }
  void validation_step(const troupe::Batch& batch, int64_t /*batch_index*/) override { evaluate(batch, "val"); }
  void test_step(const troupe::Batch& batch, int64_t /*batch_index*/) override { evaluate(batch, "test"); }
  at::Tensor predict_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    return torch::softmax(forward(batch.data), 1);
  }

  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::Adam>(parameters(), torch::optim::AdamOptions(options_.lr))}};
  }

 private:
  void evaluate(const troupe::Batch& batch, const std::string& stage) {
    const auto logits = forward(batch.data);
    log(stage + "_loss", torch::nn::functional::cross_entropy(logits, batch.target));
    log(stage + "_acc", logits.argmax(1).eq(batch.target).to(torch::kFloat).mean(), {.prog_bar = true});
  }

  ModelOptions options_;
  torch::nn::Sequential net_{nullptr};
};
// end module
