// Trains a small convolutional network on handwritten digits: what a program on Troupe looks like.
//
//   digits fit                            train, with everything on disk under runs/digits/
//   digits test --resume best             test the best checkpoint of the newest run
//   digits fit --help                     every option
#include <torch/torch.h>

#include <troupe/callbacks/checkpointing/model_checkpoint.h>
#include <troupe/callbacks/stopping/early_stopping.h>
#include <troupe/deploy/run.h>
#include "examples/digits/digits_data.h"
#include "examples/digits/digits_net.h"

namespace {

struct ModelOptions {
  double lr = 3e-3;
  double weight_decay = 1e-2;
  double dropout = 0.25;

  void describe(troupe::OptionVisitor& visit) {
    visit("lr", lr, "Learning rate that the cosine schedule starts from.").greater_than(0);
    visit("weight_decay", weight_decay, "Decoupled weight decay of AdamW.").at_least(0);
    visit("dropout", dropout, "Probability that a feature is zeroed in training.").at_least(0).at_most(1);
  }
};

struct DataOptions {
  std::string path = digits::default_path();
  int64_t batch_size = 32;
  int num_workers = 2;
  bool augment = true;
  uint64_t split_seed = 0;

  void describe(troupe::OptionVisitor& visit) {
    visit("path", path, "The gzip file of digits.");
    visit("batch_size", batch_size, "Samples in a training batch.").at_least(1);
    visit("num_workers", num_workers, "Threads that make batches; the batches are the same for any number.")
        .at_least(0);
    visit("augment", augment, "Shift training images by up to a pixel.");
    visit("split_seed", split_seed, "Decides which samples train, validate and test.");
  }
};

class DigitsModule : public troupe::Module {
 public:
  DigitsModule(const ModelOptions& options, int64_t max_epochs) : options_(options), max_epochs_(max_epochs) {
    net_ = register_module("net", std::make_shared<digits::DigitsNet>(options.dropout));
  }

  at::Tensor training_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    const auto loss = torch::nn::functional::cross_entropy(net_->forward(batch.data), batch.target);
    log("train_loss", loss, {.on_epoch = true, .on_step = true, .prog_bar = true});
    return loss;
  }

  void validation_step(const troupe::Batch& batch, int64_t /*batch_index*/) override { evaluate(batch, "val"); }
  void test_step(const troupe::Batch& batch, int64_t /*batch_index*/) override { evaluate(batch, "test"); }
  at::Tensor predict_step(const troupe::Batch& batch, int64_t /*batch_index*/) override {
    return net_->forward(batch.data).argmax(1);
  }

  std::vector<troupe::OptimizerConfig> configure_optimizers() override {
    const auto adamw = torch::optim::AdamWOptions(options_.lr).weight_decay(options_.weight_decay);
    return {{.lr_schedule = troupe::lr_schedule::cosine(max_epochs_),
             .optimizer = std::make_shared<torch::optim::AdamW>(parameters(), adamw)}};
  }

 private:
  void evaluate(const troupe::Batch& batch, const std::string& stage) {
    const auto logits = net_->forward(batch.data);
    log(stage + "_loss", torch::nn::functional::cross_entropy(logits, batch.target));
    log(stage + "_acc", logits.argmax(1).eq(batch.target).to(torch::kFloat).mean(), {.prog_bar = true});
  }

  ModelOptions options_;
  int64_t max_epochs_;
  std::shared_ptr<digits::DigitsNet> net_;
};

class DigitsDataModule : public troupe::DataModule {
 public:
  DigitsDataModule(const DataOptions& options, uint64_t seed) : options_(options), seed_(seed) {}

  void setup(troupe::Stage /*stage*/) override {
    const auto data = digits::read_digits(options_.path);
    split_ = digits::split_digits(data.labels, options_.split_seed);
    plain_ = std::make_shared<troupe::TensorDataset>(data.images, data.labels);
    augmented_ = std::make_shared<troupe::TensorDataset>(data.images, data.labels, digits::shift_by_a_pixel);
  }

  std::shared_ptr<troupe::DataLoader> train_dataloader() override {
    return troupe::make_data_loader(
        troupe::subset(options_.augment ? augmented_ : plain_, split_.train),
        {.batch_size = options_.batch_size, .num_workers = options_.num_workers, .seed = seed_, .shuffle = true});
  }
  std::shared_ptr<troupe::DataLoader> val_dataloader() override { return in_order(split_.validation); }
  std::shared_ptr<troupe::DataLoader> test_dataloader() override { return in_order(split_.test); }
  std::shared_ptr<troupe::DataLoader> predict_dataloader() override { return in_order(split_.test); }

 private:
  std::shared_ptr<troupe::DataLoader> in_order(const std::vector<int64_t>& indices) {
    return troupe::make_data_loader(troupe::subset(plain_, indices), {.batch_size = 128});
  }

  DataOptions options_;
  uint64_t seed_;
  digits::DigitsSplit split_;
  std::shared_ptr<const troupe::Dataset> plain_;
  std::shared_ptr<const troupe::Dataset> augmented_;
};

}  // namespace

int main(int argc, char** argv) {
  ModelOptions model;
  DataOptions data;
  troupe::Experiment experiment("digits", "Classifies 8x8 images of handwritten digits.");
  experiment.trainer.max_epochs = 20;
  experiment.trainer.log_every_n_steps = 10;
  experiment.add_options("model", model);
  experiment.add_options("data", data);
  experiment.module = [&] { return std::make_shared<DigitsModule>(model, experiment.trainer.resolved_max_epochs()); };
  experiment.data = [&] { return std::make_shared<DigitsDataModule>(data, experiment.trainer.seed); };
  experiment.add_callback("ModelCheckpoint", troupe::ModelCheckpointOptions{
                                                 .mode = troupe::Mode::kMax, .monitor = "val_acc", .save_last = true});
  experiment.add_callback("EarlyStopping", troupe::EarlyStoppingOptions{.monitor = "val_loss", .patience = 8});
  experiment.add_callback("LearningRateMonitor");
  experiment.add_callback("CSVLogger");
  return troupe::run(argc, argv, experiment);
}
