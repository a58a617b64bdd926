#include "examples/digits/digits_net.h"

#include <torch/torch.h>

namespace digits {

DigitsNet::DigitsNet(double dropout)
    : conv1(register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 16, 3).padding(1).bias(false)))),
      norm1(register_module("norm1", torch::nn::BatchNorm2d(16))),
      conv2(register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(16, 32, 3).padding(1).bias(false)))),
      norm2(register_module("norm2", torch::nn::BatchNorm2d(32))),
      dropout(register_module("dropout", torch::nn::Dropout(dropout))),
      classifier(register_module("classifier", torch::nn::Linear(32 * 4 * 4, 10))) {}

torch::Tensor DigitsNet::forward(const torch::Tensor& images) {
  torch::Tensor x = torch::relu(norm1(conv1(images)));  // [N, 16, 8, 8]
  x = torch::relu(norm2(conv2(x)));                     // [N, 32, 8, 8]
  x = torch::max_pool2d(x, 2).flatten(1);               // [N, 512]
  return classifier(dropout(x));
}

}  // namespace digits
