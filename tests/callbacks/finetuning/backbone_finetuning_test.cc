#include "troupe/callbacks/finetuning/backbone_finetuning.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <concepts>
#include <functional>
#include <map>

#include "tests/support/broken_off_fit.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/small_fit.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

static_assert(std::copyable<BackboneFinetuning>);

namespace {

struct BackboneData : DataModule {
  std::shared_ptr<DataLoader> train_dataloader() override { return small_loader(); }
};

using Tensors = std::map<std::string, at::Tensor>;

Tensors copies_of_state(const torch::nn::Module& module) {
  Tensors copies;
  for (const auto& named : named_state(module)) {
    copies[named.name] = named.tensor.detach().clone();
  }
  return copies;
}

OptimizerConfig two_groups(SmallModule& module) {
  return {.optimizer = std::make_shared<torch::optim::SGD>(split_parameter_groups(module, "backbone"),
                                                           torch::optim::SGDOptions(0.1).momentum(0.9))};
}

struct BackboneFit {
  std::vector<std::vector<double>> rates;  ///< Of the two groups, in each epoch's first step.
  std::vector<Tensors> states;             ///< After each epoch.
  RunResult result;
};

BackboneFit backbone_fit(const BackboneFinetuningOptions& options, int64_t epochs,
                         std::function<OptimizerConfig(SmallModule&)> configure = two_groups) {
  const TemporaryFolder folder;
  auto trainer_options = tiny_options(folder.path() / "run");
  trainer_options.max_epochs = epochs;
  torch::manual_seed(7);
  SmallModule module;
  module.configure = std::move(configure);
  BackboneData data;
  Trainer trainer(trainer_options);
  trainer.add(BackboneFinetuning(options));
  BackboneFit fit;
  trainer.on<OptimizerStepStarted>("rates", [&](const OptimizerStepStarted&, Live& live) {
    if (live.run().epoch() == fit.rates.size()) {
      auto& groups = live.optimizers()[0].get().param_groups();
      fit.rates.push_back({groups[0].options().get_lr(), groups[1].options().get_lr()});
    }
  });
  trainer.on<TrainEpochEnded>(
      "states", [&](const TrainEpochEnded&, Live& live) { fit.states.push_back(copies_of_state(live.module())); });
  fit.result = trainer.fit(module, data);
  return fit;
}

/// The same training by LibTorch alone, without dropout's random numbers being others: the state after each epoch.
/// Backbone's linear layer is left out until `unfrozen`; `rates` are the backbone's from there on.
std::vector<Tensors> plain_backbone_training(size_t unfrozen, const std::vector<double>& rates, size_t epochs) {
  torch::manual_seed(7);
  SmallModule module;
  module.train();
  torch::manual_seed(TrainerOptions().seed);  // As a fit begins.
  torch::optim::SGD optimizer(split_parameter_groups(module, "backbone"), torch::optim::SGDOptions(0.1).momentum(0.9));
  const auto linear = module.named_modules("", false)["backbone.0"];
  std::vector<Tensors> states;
  const auto loader = small_loader();
  for (size_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto& parameter : linear->parameters()) {
      parameter.set_requires_grad(epoch >= unfrozen);
    }
    if (epoch >= unfrozen) {
      optimizer.param_groups()[1].options().set_lr(rates[epoch - unfrozen]);
    }
    loader->begin(static_cast<int64_t>(epoch), 0);
    for (int batch = 0; batch < 6; ++batch) {
      const Batch data = loader->next();
      for (auto& parameter : module.parameters()) {
        parameter.mutable_grad().reset();
      }
      torch::mse_loss(module.predict_step(data, batch), data.target).backward();
      optimizer.step();
    }
    states.push_back(copies_of_state(module));
  }
  return states;
}

/// NoisyModule with a parameter group for its first layer, or for its BatchNorm.
template <bool for_norm>
class NoisyBackbone : public NoisyModule {
 public:
  using NoisyModule::NoisyModule;
  static std::string backbone() { return for_norm ? "norm" : "input"; }
  std::vector<OptimizerConfig> configure_optimizers() override {
    auto configs = NoisyModule::configure_optimizers();
    configs[0].optimizer = std::make_shared<torch::optim::Adam>(split_parameter_groups(*this, backbone()),
                                                                torch::optim::AdamOptions(1e-2));
    return configs;
  }
};

}  // namespace

TEST_CASE("the backbone is trained from its epoch on, at rates that grow up to the others'") {
  const BackboneFit fit = backbone_fit({.lambda = 3.0, .unfreeze_backbone_at_epoch = 2}, 6);
  const std::vector<double> wanted = {0.1 * 0.1, 0.1 * 0.1 * 3, 0.1 * 0.1 * 9, 0.1};
  REQUIRE(fit.rates.size() == 6);
  for (size_t epoch = 0; epoch < 6; ++epoch) {
    CAPTURE(epoch);
    CHECK(fit.rates[epoch][0] == 0.1);
    CHECK(fit.rates[epoch][1] == doctest::Approx(epoch < 2 ? 0.1 : wanted[epoch - 2]).epsilon(1e-12));
  }
  const auto plain =
      plain_backbone_training(2, {fit.rates[2][1], fit.rates[3][1], fit.rates[4][1], fit.rates[5][1]}, 6);
  REQUIRE(fit.states.size() == 6);
  for (size_t epoch = 0; epoch < 6; ++epoch) {
    for (const auto& [name, tensor] : plain[epoch]) {
      CAPTURE(epoch);
      CAPTURE(name);
      CHECK(fit.states[epoch].at(name).allclose(tensor, 1e-4, 1e-6));
    }
  }
  CHECK(fit.states[0].at("module.backbone.0.weight").equal(fit.states[1].at("module.backbone.0.weight")));
  CHECK_FALSE(fit.states[1].at("module.backbone.0.weight").equal(fit.states[2].at("module.backbone.0.weight")));
  CHECK_FALSE(fit.states[0].at("module.backbone.1.weight").equal(fit.states[1].at("module.backbone.1.weight")));
}

TEST_CASE("the first rate can be given, and the rates can outgrow the others'") {
  const BackboneFit fit = backbone_fit(
      {.backbone_initial_lr = 0.04, .lambda = 2.0, .should_align = false, .unfreeze_backbone_at_epoch = 1}, 4);
  CHECK(fit.rates.at(1)[1] == 0.04);
  CHECK(fit.rates.at(2)[1] == 0.08);
  CHECK(fit.rates.at(3)[1] == 0.16);
}

TEST_CASE("a backbone that is unfrozen at once is never left out") {
  const BackboneFit fit = backbone_fit({.unfreeze_backbone_at_epoch = 0}, 1);
  CHECK(fit.rates.at(0)[1] == doctest::Approx(0.01));
  CHECK_FALSE(fit.states.at(0)
                  .at("module.backbone.0.weight")
                  .equal(backbone_fit({}, 1).states.at(0).at("module.backbone.0.weight")));
  CHECK(fit.result.state.frozen_parameters().empty());
}

TEST_CASE("without train_bn the backbone's BatchNorms stay as they are, statistics too") {
  const BackboneFit fit = backbone_fit({.train_bn = false, .unfreeze_backbone_at_epoch = 1}, 3);
  for (const char* name : {"module.backbone.1.weight", "module.backbone.1.bias", "module.backbone.1.running_mean",
                           "module.backbone.1.num_batches_tracked"}) {
    CAPTURE(name);
    CHECK(fit.states.at(0).at(name).equal(fit.states.at(2).at(name)));
  }
  CHECK(fit.states.at(2).at("module.backbone.1.num_batches_tracked").item<int64_t>() == 0);
  CHECK_FALSE(fit.states.at(0).at("module.backbone.0.weight").equal(fit.states.at(2).at("module.backbone.0.weight")));
}

TEST_CASE("a verbose finetuning says the rates, rounded") {
  std::string said;
  {
    const testing::CapturedStderr captured;
    backbone_fit({.rounding = 3, .unfreeze_backbone_at_epoch = 1, .verbose = true}, 2);
    said = captured.text();
  }
  CHECK(said.find("epoch 1 trains 'backbone' with the rate 0.010, the others with 0.100") != std::string::npos);
  CHECK(said.find("epoch 0") == std::string::npos);
}

TEST_CASE("a finetuning of what the module or its optimizer does not have is refused before the first step") {
  const auto refuse = [](const BackboneFinetuningOptions& options, const std::string& why,
                         const std::function<OptimizerConfig(SmallModule&)>& configure) {
    CHECK_THROWS_WITH_AS(backbone_fit(options, 1, configure), doctest::Contains(why.c_str()), CallbackError);
  };
  refuse({.backbone = "encoder"}, "BackboneFinetuning: the module has no submodule 'encoder'", two_groups);
  refuse({}, "a group of their own", {});  // One group for all.
}

TEST_CASE_TEMPLATE("a run with backbone finetuning that is stopped and resumed ends with the same bits", Backbone,
                   NoisyBackbone<false>, NoisyBackbone<true>) {
  BrokenOffFit<Backbone> fit([](Trainer& trainer) {
    trainer.add(BackboneFinetuning({.backbone = Backbone::backbone(),
                                    .lambda = 1.5,
                                    .train_bn = Backbone::backbone() != "norm",
                                    .unfreeze_backbone_at_epoch = 1}));
    trainer.add(ModelCheckpoint({.monitor = "val_loss", .save_last = true, .save_top_k = 2}));
  });
  CHECK(fit.unbroken().contains("callback BackboneFinetuning"));
  int in_validation = 0;
  // While it is frozen, in the epoch that unfreezes it, in the last; within windows and validations.
  for (const int64_t stop : {4, 11, 22, 25, 33, 40, 46, 53}) {
    in_validation += fit.check_stop(stop) ? 1 : 0;
  }
  CHECK(in_validation >= 2);
}

TEST_CASE("wrong options of backbone finetuning are refused") {
  CHECK_THROWS_AS(BackboneFinetuning({.backbone = ""}), ConfigError);
  CHECK_THROWS_AS(BackboneFinetuning({.backbone_initial_lr = 0.0}), ConfigError);
  CHECK_THROWS_AS(BackboneFinetuning({.backbone_initial_ratio_lr = 0.0}), ConfigError);
  CHECK_THROWS_AS(BackboneFinetuning({.lambda = 0.0}), ConfigError);
  CHECK_THROWS_AS(BackboneFinetuning({.rounding = -1}), ConfigError);
  CHECK_THROWS_AS(BackboneFinetuning({.unfreeze_backbone_at_epoch = -1}), ConfigError);
}
