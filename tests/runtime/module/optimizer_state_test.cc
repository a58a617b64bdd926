#include "troupe/runtime/module/optimizer_state.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <functional>
#include <set>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/training.h"

using namespace troupe;

namespace {

using Optimizers = std::function<std::shared_ptr<torch::optim::Optimizer>(const std::vector<at::Tensor>&)>;

/// Two layers under an optimizer of the test's.
class TwoLayers : public Module {
 public:
  explicit TwoLayers(Optimizers make) : make_(std::move(make)) {
    torch::manual_seed(1);
    first_ = register_module("first", torch::nn::Linear(3, 4));
    second_ = register_module("second", torch::nn::Linear(4, 2));
  }
  std::vector<OptimizerConfig> configure_optimizers() override { return {{.optimizer = make_(parameters())}}; }
  /// One step of `training`, which is of this module, on the same samples every time.
  void step(Training& training) {
    training.zero_grad();
    const auto data = torch::linspace(-1, 1, 12).reshape({4, 3});
    second_->forward(first_->forward(data).tanh()).pow(2).mean().backward();
    training.optimizer_step();
  }

 private:
  Optimizers make_;
  torch::nn::Linear first_{nullptr};
  torch::nn::Linear second_{nullptr};
};

template <class Optimizer, class Options>
Optimizers optimizers(Options options) {
  return
      [options](const std::vector<at::Tensor>& parameters) { return std::make_shared<Optimizer>(parameters, options); };
}

struct NamedOptimizers {
  const char* name;
  Optimizers make;
};

std::vector<NamedOptimizers> all_optimizers() {
  using namespace torch::optim;
  return {
      {"SGD", optimizers<SGD>(SGDOptions(0.1))},
      {"SGD with momentum", optimizers<SGD>(SGDOptions(0.1).momentum(0.9).dampening(0.1).weight_decay(0.01))},
      {"SGD with Nesterov's momentum", optimizers<SGD>(SGDOptions(0.1).momentum(0.9).nesterov(true))},
      {"Adam", optimizers<Adam>(AdamOptions(0.01).betas({0.8, 0.95}).weight_decay(0.01))},
      {"Adam with amsgrad", optimizers<Adam>(AdamOptions(0.01).amsgrad(true))},
      {"AdamW", optimizers<AdamW>(AdamWOptions(0.01).weight_decay(0.1))},
      {"RMSprop", optimizers<RMSprop>(RMSpropOptions(0.01))},
      {"RMSprop, centered, with momentum", optimizers<RMSprop>(RMSpropOptions(0.01).centered(true).momentum(0.9))},
      {"Adagrad", optimizers<Adagrad>(AdagradOptions(0.1).lr_decay(0.1).initial_accumulator_value(0.5))},
  };
}

/// Everything that a checkpoint would hold, as bytes.
std::string state_bytes(Training& training) {
  const auto snapshot = training.capture(/*weights_only=*/false);
  std::string bytes = snapshot->state.SerializeAsString();
  for (const auto& named : snapshot->tensors) {
    bytes += named.name;
    bytes.append(static_cast<const char*>(named.tensor.data_ptr()), named.tensor.nbytes());
  }
  return bytes;
}

}  // namespace

TEST_CASE("every optimizer goes on bit for bit in a fresh module from what was captured in the middle") {
  for (const auto& [name, make] : all_optimizers()) {
    CAPTURE(name);
    TwoLayers unbroken(make);
    Training training(unbroken, 7);
    for (int i = 0; i < 3; ++i) {
      unbroken.step(training);
    }
    const auto snapshot = training.capture(/*weights_only=*/false);
    TwoLayers resumed(make);
    Training resumed_training(resumed, 7);
    resumed.step(resumed_training);  // A state of its own, which restoring replaces.
    resumed_training.restore(*snapshot);
    CHECK(state_bytes(resumed_training) == state_bytes(training));
    for (int i = 0; i < 3; ++i) {
      unbroken.step(training);
      resumed.step(resumed_training);
    }
    CHECK(state_bytes(resumed_training) == state_bytes(training));
  }
}

TEST_CASE("the memory that is made for the shadows is that which every optimizer's state goes into") {
  for (const auto& [name, make] : all_optimizers()) {
    CAPTURE(name);
    TwoLayers module(make);
    Training training(module, 7);
    training.prepare_shadows();
    const auto weights = training.capture(/*weights_only=*/true);
    std::set<std::string> made{"rng.cpu"};  // Some kilobytes: it is left to the first save.
    for (const auto* tensors : {&weights->tensors, &weights->spare}) {
      for (const auto& named : *tensors) {
        made.insert(named.name);
      }
    }
    module.step(training);
    std::set<std::string> needed;
    for (const auto& named : training.capture(/*weights_only=*/false)->tensors) {
      needed.insert(named.name);
    }
    CHECK(made == needed);
  }
}

TEST_CASE("an optimizer whose state cannot be kept is refused by its name when the fit starts") {
  const auto refusal = [](const Optimizers& make) {
    TwoLayers module(make);
    try {
      Training training(module, 7);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("it was taken");
  };
  const std::string allowed =
      " cannot be trained with: its state cannot be kept; allowed are torch::optim::Adam, AdamW, SGD, RMSprop and "
      "Adagrad";
  CHECK(refusal(optimizers<torch::optim::LBFGS>(torch::optim::LBFGSOptions(0.1))) ==
        "optimizer torch::optim::LBFGS" + allowed);
  struct SGD : torch::optim::SGD {  // Has a name that is known, and could have state that is not.
    using torch::optim::SGD::SGD;
  };
  CHECK(refusal(optimizers<SGD>(torch::optim::SGDOptions(0.1))).ends_with("::SGD" + allowed));
}
