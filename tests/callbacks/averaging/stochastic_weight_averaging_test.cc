#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <cmath>
#include <concepts>
#include <functional>

#include "tests/support/broken_off_fit.h"
#include "tests/support/small_fit.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/averaging/load_averaged_weights.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

static_assert(std::copyable<StochasticWeightAveraging>);

namespace {

constexpr double kPi = 3.14159265358979323846;

/// What training by LibTorch alone comes to, with these rates in the epochs: the weights after each.
std::vector<std::vector<float>> weights_with_rates(const std::vector<double>& rates) {
  torch::manual_seed(1);
  TinyModule module;
  torch::optim::SGD optimizer(module.parameters(), torch::optim::SGDOptions(0.1));
  std::vector<std::vector<float>> weights;
  const auto linear = module.children()[0];
  for (const double rate : rates) {
    optimizer.param_groups()[0].options().set_lr(rate);
    for (int batch = 0; batch < 4; ++batch) {
      optimizer.zero_grad();
      const auto prediction = linear->as<torch::nn::Linear>()->forward(torch::ones({3, 4}));
      torch::mse_loss(prediction, torch::zeros({3, 2})).backward();
      optimizer.step();
    }
    weights.push_back(weights_of(module));
  }
  return weights;
}

/// The mean of the weights after epochs `first` and later.
std::vector<float> mean_from(const std::vector<std::vector<float>>& weights, size_t first) {
  std::vector<float> mean;
  for (size_t i = 0; i < weights.front().size(); ++i) {
    double sum = 0;
    for (size_t epoch = first; epoch < weights.size(); ++epoch) {
      sum += static_cast<double>(weights[epoch][i]);
    }
    mean.push_back(static_cast<float>(sum / static_cast<double>(weights.size() - first)));
  }
  return mean;
}

struct SwaFit {
  RunResult result;
  std::vector<float> weights;     ///< Of the module after the fit.
  std::vector<double> rates;      ///< That each step was made with.
  std::vector<float> before_end;  ///< The module's own after the last epoch.
  int64_t updates = 0;
};

SwaFit swa_fit(const StochasticWeightAveragingOptions& options, int64_t epochs,
               const std::function<void(TinyModule&)>& change = {}) {
  const TemporaryFolder folder;
  auto trainer_options = tiny_options(folder.path() / "run");
  trainer_options.max_epochs = epochs;
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(trainer_options);
  const auto handle = trainer.add(StochasticWeightAveraging(options));
  SwaFit fit;
  trainer.on<OptimizerStepStarted>("rates", [&](const OptimizerStepStarted&, Live& live) {
    fit.rates.push_back(live.optimizers()[0].get().param_groups()[0].options().get_lr());
  });
  trainer.on<TrainEpochEnded>("weights",
                              [&](const TrainEpochEnded&, Live& live) { fit.before_end = weights_of(live.module()); });
  if (change) {
    change(module);
  }
  fit.result = trainer.fit(module, data);
  fit.weights = weights_of(module);
  fit.updates = handle.get().average().updates();
  return fit;
}

void check_swa(const StochasticWeightAveragingOptions& options, const std::vector<double>& rates, size_t first) {
  const auto weights = weights_with_rates(rates);
  const SwaFit fit = swa_fit(options, static_cast<int64_t>(rates.size()));
  REQUIRE(fit.rates.size() == rates.size() * 4);
  for (size_t step = 0; step < fit.rates.size(); ++step) {
    CAPTURE(step);
    CHECK(fit.rates[step] == doctest::Approx(rates[step / 4]).epsilon(1e-12));
  }
  CHECK(fit.updates == static_cast<int64_t>(rates.size() - first));
  const auto mean = mean_from(weights, first);
  for (size_t i = 0; i < mean.size(); ++i) {
    CAPTURE(i);
    CHECK(fit.weights[i] == doctest::Approx(mean[i]).epsilon(1e-5));
    CHECK(fit.before_end[i] == doctest::Approx(weights.back()[i]).epsilon(1e-5));
  }
}

/// A tiny module with a schedule by the step.
class ScheduledModule : public TinyModule {
 public:
  std::vector<OptimizerConfig> configure_optimizers() override {
    auto configs = TinyModule::configure_optimizers();
    configs[0].lr_schedule = lr_schedule::cosine(20);
    configs[0].interval = OptimizerConfig::Interval::kStep;
    return configs;
  }
};

}  // namespace

TEST_CASE("the module ends with the mean of the weights after each averaged epoch, at annealed rates") {
  SUBCASE("linear, from an epoch counted from 1") {
    check_swa({.annealing_epochs = 2,
               .annealing_strategy = AnnealingStrategy::kLinear,
               .swa_epoch_start = 3,
               .swa_lrs = {0.02}},
              {0.1, 0.1, 0.1, 0.06, 0.02, 0.02}, 2);
  }
  SUBCASE("along a cosine") {
    const auto along = [](double t) { return 0.02 * (1 - std::cos(kPi * t)) / 2 + 0.1 * (1 + std::cos(kPi * t)) / 2; };
    check_swa({.annealing_epochs = 3, .swa_epoch_start = 2, .swa_lrs = {0.02}},
              {0.1, 0.1, along(1.0 / 3), along(2.0 / 3), 0.02}, 1);
  }
  SUBCASE("at once") {
    check_swa({.annealing_epochs = 0, .swa_epoch_start = 2, .swa_lrs = {0.3}}, {0.1, 0.3, 0.3}, 1);
  }
  SUBCASE("from a fraction of the epochs on, rounded down") {
    check_swa({.annealing_epochs = 0, .swa_epoch_start = 0.7, .swa_lrs = {0.05}}, {0.1, 0.1, 0.05, 0.05, 0.05}, 2);
  }
  SUBCASE("from the first epoch on") {
    check_swa({.annealing_epochs = 0, .swa_epoch_start = 0.0, .swa_lrs = {0.05}}, {0.05, 0.05}, 0);
  }
}

TEST_CASE("a fit that ends before the averaging begins keeps its weights") {
  const SwaFit fit = swa_fit({.swa_epoch_start = 5, .swa_lrs = {0.02}}, 3);
  CHECK(fit.updates == 0);
  CHECK(fit.weights == fit.before_end);
}

TEST_CASE("the rates of the averaging hold against a schedule by the step") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.max_epochs = 4;
  ScheduledModule module;
  TinyData data;
  Trainer trainer(options);
  trainer.add(StochasticWeightAveraging({.annealing_epochs = 0, .swa_epoch_start = 3, .swa_lrs = {0.02}}));
  std::vector<double> rates;
  trainer.on<OptimizerStepStarted>("rates", [&](const OptimizerStepStarted&, Live& live) {
    rates.push_back(live.optimizers()[0].get().param_groups()[0].options().get_lr());
  });
  trainer.fit(module, data);
  REQUIRE(rates.size() == 16);
  for (size_t step = 0; step < 8; ++step) {
    CHECK(rates[step] == doctest::Approx(0.1 * (1 + std::cos(kPi * static_cast<double>(step) / 20)) / 2));
  }
  for (size_t step = 8; step < 16; ++step) {
    CHECK(rates[step] == 0.02);
  }
}

TEST_CASE("the statistics of BatchNorm are those of the averaged weights over the last epoch's batches") {
  const TemporaryFolder folder;
  torch::manual_seed(7);
  SmallModule module;
  struct SmallData : DataModule {
    std::shared_ptr<DataLoader> train_dataloader() override { return small_loader(); }
  } data;
  auto options = tiny_options(folder.path() / "run");
  options.max_epochs = 3;
  Trainer trainer(options);
  trainer.add(StochasticWeightAveraging({.annealing_epochs = 0, .swa_epoch_start = 2, .swa_lrs = {0.05}}));
  trainer.fit(module, data);

  const auto tensors = module.named_parameters();
  const auto buffers = module.named_buffers();
  at::Tensor mean = torch::zeros({4});
  at::Tensor variance = torch::zeros({4});
  const auto loader = small_loader();
  loader->begin(2, 0);
  for (int batch = 0; batch < 6; ++batch) {
    const auto hidden = torch::nn::functional::linear(loader->next().data, tensors["backbone.0.weight"].detach(),
                                                      tensors["backbone.0.bias"].detach());
    mean += hidden.mean(0) / 6;
    variance += hidden.var(0, /*unbiased=*/true) / 6;
  }
  CHECK(buffers["backbone.1.running_mean"].allclose(mean, 1e-5, 1e-6));
  CHECK(buffers["backbone.1.running_var"].allclose(variance, 1e-5, 1e-6));
  CHECK(buffers["backbone.1.num_batches_tracked"].item<int64_t>() == 6);
  CHECK(module.is_training());
}

TEST_CASE("when the pass for BatchNorm fails, the module has its own weights again") {
  const TemporaryFolder folder;
  torch::manual_seed(7);
  SmallModule module;
  struct SmallData : DataModule {
    std::shared_ptr<DataLoader> train_dataloader() override { return small_loader(); }
  } data;
  auto options = tiny_options(folder.path() / "run");
  Trainer trainer(options);
  trainer.add(StochasticWeightAveraging({.annealing_epochs = 0, .swa_epoch_start = 1, .swa_lrs = {0.05}}));
  std::vector<float> own;
  trainer.on<TrainEpochEnded>("weights", [&](const TrainEpochEnded&, Live& live) { own = weights_of(live.module()); });
  int64_t steps = 0;
  module.in_training_step = [&](int64_t /*batch_index*/) {
    if (++steps > 12 + 2) {
      throw std::runtime_error("no more");
    }
  };
  CHECK_THROWS_WITH_AS(trainer.fit(module, data), doctest::Contains("StochasticWeightAveraging"), CallbackError);
  CHECK(steps == 15);
  CHECK(weights_of(module) == own);
}

TEST_CASE("a checkpoint of the averaging gives the mean so far") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.max_epochs = 3;
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(options);
  trainer.add(StochasticWeightAveraging({.annealing_epochs = 0, .swa_epoch_start = 2, .swa_lrs = {0.3}}));
  save_at<TrainEpochEnded>(trainer, "epoch");
  trainer.fit(module, data);
  TinyModule loaded;
  load_averaged_weights(loaded, folder.path() / "run" / "checkpoints" / "epoch.ckpt", "StochasticWeightAveraging");
  CHECK(weights_of(loaded) == weights_of(module));
}

TEST_CASE("an averaged run that goes on after its end takes more epochs into its mean") {
  const StochasticWeightAveragingOptions swa{.annealing_epochs = 0, .swa_epoch_start = 2, .swa_lrs = {0.3}};
  const SwaFit whole = swa_fit(swa, 4);
  const TemporaryFolder folder;
  std::vector<float> end;
  for (const int64_t epochs : {3, 4}) {
    auto options = tiny_options(folder.path() / "run");
    options.max_epochs = epochs;
    torch::manual_seed(epochs == 3 ? 1 : 99);
    TinyModule module;
    TinyData data;
    Trainer trainer(options);
    trainer.add(StochasticWeightAveraging(swa));
    save_at<TrainEnded>(trainer, "end");
    trainer.fit(module, data, epochs == 3 ? "" : "last");
    end = weights_of(module);
  }
  CHECK(end == whole.weights);
}

TEST_CASE("a run with stochastic weight averaging that is stopped and resumed ends with the same bits") {
  BrokenOffFit<> fit([](Trainer& trainer) {
    trainer.add(StochasticWeightAveraging({.annealing_epochs = 2, .swa_epoch_start = 2, .swa_lrs = {0.002}}));
    trainer.add(ModelCheckpoint({.monitor = "val_loss", .save_last = true, .save_top_k = 2}));
  });
  CHECK(fit.unbroken().contains("callback StochasticWeightAveraging"));
  int in_validation = 0;
  // Before the averaging, in its first epoch, within windows and validations, in the last epoch.
  for (const int64_t stop : {10, 24, 26, 31, 40, 44, 48, 53, 60, 65}) {
    in_validation += fit.check_stop(stop) ? 1 : 0;
  }
  CHECK(in_validation >= 2);
}

TEST_CASE("fits that cannot be averaged are refused before the first step") {
  const TemporaryFolder folder;
  const auto refuse = [&](const StochasticWeightAveragingOptions& swa, const std::string& why,
                          std::optional<int64_t> max_epochs) {
    auto options = tiny_options({});
    options.default_root_dir = folder.path().string();
    options.max_epochs = max_epochs;
    options.max_steps = 8;
    TinyModule module;
    TinyData data;
    Trainer trainer(options);
    trainer.add(StochasticWeightAveraging(swa));
    CHECK_THROWS_WITH_AS(trainer.fit(module, data), doctest::Contains(why.c_str()), CallbackError);
    CHECK(module.global_step() == 0);
  };
  refuse({.swa_lrs = {0.1, 0.2}}, "one for each of the 1 parameter groups", 2);
  refuse({.swa_lrs = {0.1}}, "which has no limit", -1);
}

TEST_CASE("wrong options of stochastic weight averaging are refused") {
  CHECK_THROWS_AS(StochasticWeightAveraging({}), ConfigError);
  CHECK_THROWS_AS(StochasticWeightAveraging({.swa_lrs = {0.0}}), ConfigError);
  CHECK_THROWS_AS(StochasticWeightAveraging({.swa_lrs = {INFINITY}}), ConfigError);
  CHECK_THROWS_AS(StochasticWeightAveraging({.annealing_epochs = -1, .swa_lrs = {0.1}}), ConfigError);
  CHECK_THROWS_WITH_AS(StochasticWeightAveraging({.swa_epoch_start = 0, .swa_lrs = {0.1}}),
                       doctest::Contains("'swa_epoch_start' must be a count of at least 1"), ConfigError);
  CHECK_THROWS_AS(StochasticWeightAveraging({.swa_epoch_start = 1.5, .swa_lrs = {0.1}}), ConfigError);
}
