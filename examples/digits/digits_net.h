#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

namespace digits {

/// A small convolutional classifier: images float32 [N, 1, 8, 8] to logits [N, 10].
struct DigitsNet : torch::nn::Module {
  explicit DigitsNet(double dropout = 0.25);

  torch::Tensor forward(const torch::Tensor& images);

  torch::nn::Conv2d conv1;
  torch::nn::BatchNorm2d norm1;
  torch::nn::Conv2d conv2;
  torch::nn::BatchNorm2d norm2;
  torch::nn::Dropout dropout;
  torch::nn::Linear classifier;
};

}  // namespace digits
