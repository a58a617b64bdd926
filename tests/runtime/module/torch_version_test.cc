#include "troupe/runtime/module/torch_version.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

using namespace troupe;

TEST_CASE("optimizer_state_key finds the state of a parameter") {
  auto parameter = torch::ones({2}, torch::requires_grad());
  auto other = torch::ones({2}, torch::requires_grad());
  torch::optim::Adam optimizer({parameter});
  parameter.sum().backward();
  optimizer.step();
  CHECK(optimizer.state().count(optimizer_state_key(parameter)) == 1);
  CHECK(optimizer.state().count(optimizer_state_key(other)) == 0);
}

TEST_CASE("zero_grad_to_none drops gradients rather than filling them with zeros") {
  torch::nn::Linear layer(2, 1);
  layer->forward(torch::ones({1, 2})).sum().backward();
  CHECK(layer->weight.grad().defined());
  zero_grad_to_none(layer->parameters());
  CHECK_FALSE(layer->weight.grad().defined());
  CHECK_FALSE(layer->bias.grad().defined());
}
