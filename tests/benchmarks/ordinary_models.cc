#include "tests/benchmarks/ordinary_models.h"

#include <sys/resource.h>
#include <torch/torch.h>

#include <chrono>
#include <functional>

#include "tests/support/temporary_folder.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/runtime/base/allocator.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/random_key.h"
#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/data/tensor_dataset.h"

namespace troupe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kTokens = 64;  // Of the transformer's alphabet.

/// A network with data that it could learn from, as a user has them.
struct Model {
  std::shared_ptr<torch::nn::Module> net;
  std::function<at::Tensor(const at::Tensor& data, const at::Tensor& target)> loss;
  at::Tensor data;
  at::Tensor target;
  int64_t batch_size;
  int64_t epochs;
  bool changing = false;  // Batches of 16 to batch_size samples, another size at each step.
};

Model make_mlp() {
  torch::nn::Sequential net(torch::nn::Linear(784, 256), torch::nn::ReLU(), torch::nn::Linear(256, 10));
  return {net.ptr(),
          [net](const at::Tensor& data, const at::Tensor& target) mutable {
            return torch::nn::functional::cross_entropy(net->forward(data), target);
          },
          torch::randn({60000, 784}),
          torch::randint(10, {60000}),
          64,
          2};
}

Model make_cnn() {
  torch::nn::Sequential net(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 16, 3).padding(1)), torch::nn::ReLU(),
                            torch::nn::MaxPool2d(2), torch::nn::Conv2d(torch::nn::Conv2dOptions(16, 32, 3).padding(1)),
                            torch::nn::ReLU(), torch::nn::MaxPool2d(2), torch::nn::Flatten(),
                            torch::nn::Linear(32 * 7 * 7, 10));
  return {net.ptr(),
          [net](const at::Tensor& data, const at::Tensor& target) mutable {
            return torch::nn::functional::cross_entropy(net->forward(data), target);
          },
          torch::randn({12800, 1, 28, 28}),
          torch::randint(10, {12800}),
          64,
          2};
}

class TransformerNet : public torch::nn::Module {
 public:
  TransformerNet() {
    constexpr int64_t kWidth = 128;
    embedding_ = register_module("embedding", torch::nn::Embedding(kTokens, kWidth));
    const auto layer = torch::nn::TransformerEncoderLayerOptions(kWidth, 4).dim_feedforward(256).dropout(0.0);
    encoder_ =
        register_module("encoder", torch::nn::TransformerEncoder(torch::nn::TransformerEncoderOptions(layer, 2)));
    head_ = register_module("head", torch::nn::Linear(kWidth, kTokens));
  }
  at::Tensor forward(const at::Tensor& tokens) {
    return head_->forward(encoder_->forward(embedding_->forward(tokens.transpose(0, 1)))).transpose(0, 1);
  }

 private:
  torch::nn::Embedding embedding_{nullptr};
  torch::nn::TransformerEncoder encoder_{nullptr};
  torch::nn::Linear head_{nullptr};
};

Model make_transformer() {
  auto net = std::make_shared<TransformerNet>();
  return {
      net,
      [net](const at::Tensor& data, const at::Tensor& target) {
        return torch::nn::functional::cross_entropy(net->forward(data).reshape({-1, kTokens}), target.reshape({-1}));
      },
      torch::randint(kTokens, {1600, 64}),
      torch::randint(kTokens, {1600, 64}),
      16,
      2};
}

Model make_model(const std::string& name) {
  torch::manual_seed(0);
  if (name == "mlp") {
    return make_mlp();
  }
  if (name == "cnn") {
    return make_cnn();
  }
  if (name == "transformer") {
    return make_transformer();
  }
  if (name == "changing") {
    Model model = make_mlp();
    model.batch_size = 2048;
    model.epochs = 10;
    model.changing = true;
    return model;
  }
  throw ConfigError("there is no model '" + name + "'; there are mlp, cnn, transformer and changing");
}

std::shared_ptr<torch::optim::Optimizer> make_optimizer(std::vector<at::Tensor> parameters) {
  return std::make_shared<torch::optim::AdamW>(std::move(parameters), torch::optim::AdamWOptions(1e-3));
}

int64_t minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Takes time and page faults from its making on.
class Watch {
 public:
  ModelTiming stop(int64_t steps) const {
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - started_).count();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return {us / static_cast<double>(steps), steps, minor_faults() - faults_,
            static_cast<double>(usage.ru_maxrss) / 1024};
  }

 private:
  int64_t faults_ = minor_faults();
  Clock::time_point started_ = Clock::now();
};

ModelTiming time_bare(Model& model) {
  const auto parameters = model.net->parameters();
  const auto optimizer = make_optimizer(parameters);
  model.net->train();
  double total = 0;
  int64_t steps = 0;
  const Watch watch;
  for (int64_t epoch = 0; epoch < model.epochs; ++epoch) {
    const auto order = torch::randperm(model.data.size(0));
    int64_t size = model.batch_size;
    for (int64_t first = 0; first + model.batch_size <= model.data.size(0); first += size) {
      if (model.changing) {
        size = 16 + static_cast<int64_t>(random_key(0, epoch, first) % static_cast<uint64_t>(model.batch_size - 15));
      }
      const auto indices = order.slice(0, first, first + size);
      const auto loss = model.loss(model.data.index_select(0, indices), model.target.index_select(0, indices));
      for (const auto& parameter : parameters) {
        parameter.mutable_grad().reset();
      }
      loss.backward();
      optimizer->step();
      total += loss.item<double>();
      ++steps;
    }
  }
  if (!std::isfinite(total)) {
    throw Error("the bare loop diverged");
  }
  return watch.stop(steps);
}

class OrdinaryModule : public Module {
 public:
  explicit OrdinaryModule(const Model& model) : model_(model) { register_module("net", model.net); }
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    const auto loss = model_.loss(batch.data, batch.target);
    log("loss", loss);
    return loss;
  }
  std::vector<OptimizerConfig> configure_optimizers() override { return {{.optimizer = make_optimizer(parameters())}}; }
  void on_train_start() override { watch_.emplace(); }
  void on_train_end() override { timing = watch_->stop(trained_); }
  void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) override { ++trained_; }

  ModelTiming timing;

 private:
  const Model& model_;
  std::optional<Watch> watch_;
  int64_t trained_ = 0;
};

class OrdinaryData : public DataModule {
 public:
  OrdinaryData(const Model& model, int workers) : model_(model), workers_(workers) {}
  std::shared_ptr<DataLoader> train_dataloader() override {
    DataLoaderOptions options;
    options.batch_size = model_.batch_size;
    options.shuffle = true;
    options.drop_last = true;
    options.num_workers = workers_;
    return make_data_loader(std::make_shared<TensorDataset>(model_.data, model_.target), options);
  }

 private:
  const Model& model_;
  int workers_;
};

ModelTiming time_trainer(const Model& model, ModelRow row) {
  const TemporaryFolder folder;
  const bool usual = row == ModelRow::kUsualSet || row == ModelRow::kUsualSetWorkers;
  TrainerOptions options;
  options.max_epochs = model.epochs;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.enable_checkpointing = usual;
  options.run_dir = (folder.path() / "run").string();
  options.tune_allocator = row != ModelRow::kTrainerUntuned;
  Trainer trainer(options);
  if (usual) {
    trainer.add(ModelCheckpoint({.monitor = "loss"}));
    trainer.add(EarlyStopping({.monitor = "loss", .patience = 1000}));
    trainer.add(LearningRateMonitor());
    trainer.add(CSVLogger());
  }
  OrdinaryModule module(model);
  OrdinaryData data(model, row == ModelRow::kUsualSetWorkers ? 2 : 0);
  trainer.fit(module, data);
  return module.timing;
}

}  // namespace

std::vector<std::pair<std::string, ModelRow>> model_rows(const std::string& model) {
  if (model == "changing") {  // It asks what memory comes to, not what the Trainer adds.
    return {{"bare", ModelRow::kBare}, {"bare_tuned", ModelRow::kBareTuned}};
  }
  return {{"bare", ModelRow::kBare},          {"bare_tuned", ModelRow::kBareTuned},
          {"trainer", ModelRow::kTrainer},    {"trainer_untuned", ModelRow::kTrainerUntuned},
          {"usual_set", ModelRow::kUsualSet}, {"usual_set_workers", ModelRow::kUsualSetWorkers}};
}

std::vector<std::string> model_names() {
  return {"mlp", "cnn", "transformer", "changing"};
}

std::string model_description(const std::string& model) {
  return model == "mlp"        ? "MLP 784-256-10, batch 64 of 60,000 samples, AdamW"
         : model == "cnn"      ? "CNN of two convolutions on 28 x 28, batch 64, AdamW"
         : model == "changing" ? "the MLP with batches of 16 to 2,048 samples, another size at each step, 10 epochs"
                               : "transformer of two layers, width 128, sequence 64, batch 16, AdamW";
}

ModelTiming time_model(const std::string& name, ModelRow row) {
  at::set_num_threads(1);
  if (row == ModelRow::kBareTuned) {
    tune_allocator();
  }
  Model model = make_model(name);
  return row == ModelRow::kBare || row == ModelRow::kBareTuned ? time_bare(model) : time_trainer(model, row);
}

}  // namespace troupe
