// What docs/getting_started.md says of TorchScript and of transfer learning: the page quotes this file.
#include <doctest/doctest.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/module/load_weights.h"

using namespace troupe;

namespace {

/// What the modules of the page have in common: they learn a number from three.
struct Regressor : Module {
  virtual at::Tensor forward(const at::Tensor& x) = 0;

  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    return torch::mse_loss(forward(batch.data), batch.target);
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::Adam>(parameters(), torch::optim::AdamOptions(0.01))}};
  }
};

struct Pretrained : Regressor {
  torch::nn::Sequential backbone{
      register_module("backbone", torch::nn::Sequential(torch::nn::Linear(3, 8), torch::nn::BatchNorm1d(8)))};
  torch::nn::Linear head{register_module("head", torch::nn::Linear(8, 1))};

  at::Tensor forward(const at::Tensor& x) override { return head(torch::tanh(backbone->forward(x))); }
};

// begin transfer
/// A new head on the backbone of a model that was trained before, which stays as it is.
struct Transfer : Regressor {
  torch::nn::Sequential backbone{
      register_module("backbone", torch::nn::Sequential(torch::nn::Linear(3, 8), torch::nn::BatchNorm1d(8)))};
  torch::nn::Linear new_head{register_module("new_head", torch::nn::Linear(8, 1))};

  explicit Transfer(const std::filesystem::path& pretrained) {
    troupe::load_weights(*backbone, pretrained, {.prefix = "backbone."});
    for (auto& parameter : backbone->parameters()) {
      parameter.requires_grad_(false);
    }
  }
  void train(bool on = true) override {
    Module::train(on);
    backbone->eval();  // Or batch norm would go on counting.
  }
  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    const auto adam = torch::optim::AdamOptions(0.01);
    return {{.optimizer = std::make_shared<torch::optim::Adam>(new_head->parameters(), adam)}};
  }
  at::Tensor forward(const at::Tensor& x) override { return new_head(torch::tanh(backbone->forward(x))); }
};
// end transfer

// begin frozen script
/// A scripted backbone below a head that is trained.
struct FrozenScript : Regressor {
  torch::jit::Module backbone;
  torch::nn::Linear head{register_module("head", torch::nn::Linear(8, 1))};

  explicit FrozenScript(const std::string& file) : backbone(torch::jit::load(file)) { backbone.eval(); }

  at::Tensor forward(const at::Tensor& x) override {
    at::Tensor features;
    {
      const torch::NoGradGuard frozen;
      features = backbone.forward({x}).toTensor();
    }
    return head(features);
  }
};
// end frozen script

// begin trained script
/// A scripted model whose parameters are trained: the module registers them, so that optimizers and checkpoints have
/// them.
struct TrainedScript : Regressor {
  torch::jit::Module script;

  explicit TrainedScript(const std::string& file) : script(torch::jit::load(file)) {
    for (const auto& parameter : script.named_parameters()) {
      register_parameter(own_name(parameter.name), parameter.value);
    }
    for (const auto& buffer : script.named_buffers()) {
      register_buffer(own_name(buffer.name), buffer.value);
    }
  }
  void train(bool on = true) override {
    Module::train(on);
    script.train(on);
  }
  at::Tensor forward(const at::Tensor& x) override { return script.forward({x}).toTensor(); }

 private:
  /// LibTorch allows no dots in the name of a parameter.
  static std::string own_name(std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  }
};
// end trained script

struct Waves : DataModule {
  std::shared_ptr<DataLoader> train_dataloader() override {
    const auto x = torch::linspace(-1, 1, 96).reshape({32, 3});
    return make_data_loader(std::make_shared<TensorDataset>(x, x.sum(1, /*keepdim=*/true).sin()),
                            {.batch_size = 8, .shuffle = true});
  }
};

TrainerOptions page_options(const std::filesystem::path& run_dir, int64_t max_epochs) {
  TrainerOptions options;
  options.max_epochs = max_epochs;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.run_dir = run_dir.string();
  return options;
}

RunResult page_fit(Module& module, const std::filesystem::path& run_dir, int64_t max_epochs,
                   const std::string& resume = {}) {
  Waves data;
  Trainer trainer(page_options(run_dir, max_epochs));
  trainer.add(ModelCheckpoint({.filename = "last"}));
  return trainer.fit(module, data, resume);
}

/// Every parameter and buffer.
std::vector<at::Tensor> weights_of_page(const torch::nn::Module& module) {
  std::vector<at::Tensor> weights;
  for (const auto& tensors : {module.parameters(), module.buffers()}) {
    for (const auto& tensor : tensors) {
      weights.push_back(tensor.detach().clone());
    }
  }
  return weights;
}

bool same_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& left, const auto& right) { return at::equal(left, right); });
}

/// What Python's torch.jit.script(...).save(file) writes of a model with two layers, batch norm and dropout, with
/// `features` outputs.
std::string saved_script(const std::filesystem::path& folder, int64_t features) {
  torch::manual_seed(3);
  torch::jit::Module first("first");
  first.register_parameter("weight", torch::randn({8, 3}), false);
  first.register_attribute("training", c10::BoolType::get(), true);
  first.define("def forward(self, x):\n  return torch.dropout(torch.linear(x, self.weight), 0.2, self.training)\n");
  torch::jit::Module script("script");
  script.register_module("first", first);
  script.register_parameter("weight", torch::randn({features, 8}), false);
  script.register_buffer("calls", torch::zeros({1}));
  script.register_attribute("training", c10::BoolType::get(), true);
  script.define(
      "def forward(self, x):\n"
      "  if self.training:\n"
      "    self.calls.add_(1)\n"
      "  return torch.linear(torch.tanh(self.first.forward(x)), self.weight)\n");
  const std::string file = (folder / "script.pt").string();
  script.save(file);
  return file;
}

}  // namespace

TEST_CASE("a new head is trained on the backbone of a checkpoint, which stays as it is") {
  const TemporaryFolder folder;
  Pretrained pretrained;
  page_fit(pretrained, folder.path() / "pretrained", 2);
  Transfer transfer(folder.path() / "pretrained/checkpoints/last.ckpt");
  CHECK(same_bits(weights_of_page(*transfer.backbone), weights_of_page(*pretrained.backbone)));
  const auto head = weights_of_page(*transfer.new_head);
  page_fit(transfer, folder.path() / "transfer", 2);
  CHECK(same_bits(weights_of_page(*transfer.backbone), weights_of_page(*pretrained.backbone)));
  CHECK_FALSE(same_bits(weights_of_page(*transfer.new_head), head));
}

TEST_CASE("a scripted backbone that is frozen stays as it is, and is in no checkpoint") {
  const TemporaryFolder folder;
  const std::string file = saved_script(folder.path(), 8);
  FrozenScript module(file);
  const auto head = weights_of_page(*module.head);
  const auto calls = module.backbone.attr("calls").toTensor().clone();
  page_fit(module, folder.path() / "run", 2);
  CHECK_FALSE(same_bits(weights_of_page(*module.head), head));
  CHECK(at::equal(module.backbone.attr("calls").toTensor(), calls));  // It was in eval mode throughout.
  FrozenScript same(file);
  CHECK(load_weights(same, folder.path() / "run/checkpoints/last.ckpt").loaded ==
        std::vector<std::string>{"head.weight", "head.bias"});
}

TEST_CASE("a scripted model is trained, and resumed bit for bit") {
  const TemporaryFolder folder;
  const std::string file = saved_script(folder.path(), 1);
  TrainedScript straight(file);
  const auto before = weights_of_page(straight);
  page_fit(straight, folder.path() / "straight", 4);
  CHECK_FALSE(same_bits(weights_of_page(straight), before));
  CHECK(straight.script.attr("calls").toTensor().item<double>() == 16);

  TrainedScript first(file);
  page_fit(first, folder.path() / "resumed", 2);
  TrainedScript second(file);
  page_fit(second, folder.path() / "resumed", 4, (folder.path() / "resumed").string());
  CHECK(same_bits(weights_of_page(second), weights_of_page(straight)));
  CHECK(second.script.attr("calls").toTensor().item<double>() == 16);
}

TEST_CASE("a trained script can be saved as a script again") {
  const TemporaryFolder folder;
  TrainedScript module(saved_script(folder.path(), 1));
  page_fit(module, folder.path() / "run", 1);
  module.eval();
  module.script.save((folder.path() / "trained.pt").string());
  TrainedScript loaded((folder.path() / "trained.pt").string());
  loaded.eval();
  const torch::NoGradGuard no_grad;
  const auto x = torch::ones({2, 3});
  CHECK(at::equal(loaded.forward(x), module.forward(x)));
}
