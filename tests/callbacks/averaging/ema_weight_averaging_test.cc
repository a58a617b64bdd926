#include "troupe/callbacks/averaging/ema_weight_averaging.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <concepts>
#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>

#include "tests/support/broken_off_fit.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/averaging/load_averaged_weights.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
namespace fs = std::filesystem;

static_assert(std::copyable<EMAWeightAveraging>);

namespace {

using Weights = std::vector<float>;

constexpr int64_t kEmaEpochs = 2;
constexpr int64_t kEmaSteps = kEmaEpochs * 4;

/// Notes the weights that each validation outside the sanity check runs on.
class SeenModule : public TinyModule {
 public:
  void validation_step(const Batch& batch, int64_t batch_index) override {
    if (!sanity_checking() && batch_index == 0) {
      seen.push_back(weights_of(*this));
    }
    if (in_validation) {
      in_validation(batch_index);
    }
    TinyModule::validation_step(batch, batch_index);
  }
  std::vector<Weights> seen;
  std::function<void(int64_t batch_index)> in_validation;
};

/// The weights of the same training by LibTorch alone: before the first step, then after each.
std::vector<std::vector<at::Tensor>> plain_training(int64_t epochs) {
  torch::manual_seed(1);
  TinyModule module;
  torch::optim::SGD optimizer(module.parameters(), torch::optim::SGDOptions(0.1));
  std::vector<std::vector<at::Tensor>> weights;
  const auto note = [&] {
    auto& copies = weights.emplace_back();
    for (const auto& parameter : module.parameters()) {
      copies.push_back(parameter.detach().clone());
    }
  };
  note();
  const auto linear = module.children()[0];
  for (int64_t step = 0; step < epochs * 4; ++step) {
    optimizer.zero_grad();
    const auto prediction = linear->as<torch::nn::Linear>()->forward(torch::ones({3, 4}));
    torch::mse_loss(prediction, torch::zeros({3, 2})).backward();
    optimizer.step();
    note();
  }
  return weights;
}

Weights flat(const std::vector<at::Tensor>& tensors) {
  Weights values;
  for (const auto& tensor : tensors) {
    const auto row = tensor.contiguous().view(-1);
    values.insert(values.end(), row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
  }
  return values;
}

/// The average over updates after these steps, as the weights' indices in plain_training().
Weights plain_average(const std::vector<std::vector<at::Tensor>>& weights, const std::vector<size_t>& updates,
                      double decay) {
  std::vector<at::Tensor> average;
  for (const size_t update : updates) {
    for (size_t i = 0; i < weights[update].size(); ++i) {
      const auto& value = weights[update][i];
      if (average.size() < weights[update].size()) {
        average.push_back(value.clone());
      } else {
        average[i] = average[i] * decay + value * (1 - decay);
      }
    }
  }
  return flat(average);
}

void check_close(const Weights& actual, const Weights& wanted) {
  REQUIRE(actual.size() == wanted.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i] == doctest::Approx(wanted[i]).epsilon(1e-6));
  }
}

struct EmaFit {
  explicit EmaFit(const EMAWeightAveragingOptions& ema, const std::function<void(Trainer&)>& prepare = {},
                  int64_t epochs = kEmaEpochs) {
    auto options = tiny_options(folder.path() / "run");
    options.max_epochs = epochs;
    torch::manual_seed(1);
    module = std::make_shared<SeenModule>();
    trainer = std::make_unique<Trainer>(options);
    handle = std::make_unique<CallbackHandle<EMAWeightAveraging>>(trainer->add(EMAWeightAveraging(ema)));
    if (prepare) {
      prepare(*trainer);
    }
  }
  RunResult run() {
    TinyData data;
    return trainer->fit(*module, data);
  }
  const AveragedWeights& average() const { return handle->get().average(); }
  fs::path checkpoint(const std::string& name) const { return folder.path() / "run" / "checkpoints" / name; }

  TemporaryFolder folder;
  std::shared_ptr<SeenModule> module;
  std::unique_ptr<Trainer> trainer;
  std::unique_ptr<CallbackHandle<EMAWeightAveraging>> handle;
};

/// Of a Trainer of several runs.
TrainerOptions options_below(const fs::path& folder) {
  TrainerOptions options = tiny_options({});
  options.default_root_dir = folder.string();
  return options;
}

Weights averaged_weights_in(const fs::path& checkpoint) {
  TinyModule module;
  load_averaged_weights(module, checkpoint);
  return weights_of(module);
}

}  // namespace

TEST_CASE("validations, and the module when training has ended, have the moving average of the weights") {
  const auto weights = plain_training(kEmaEpochs);
  EmaFit fit({.decay = 0.7});
  fit.run();
  CHECK(fit.average().updates() == kEmaSteps);
  REQUIRE(fit.module->seen.size() == 2);
  check_close(fit.module->seen[0], plain_average(weights, {1, 2, 3, 4}, 0.7));
  check_close(fit.module->seen[1], plain_average(weights, {1, 2, 3, 4, 5, 6, 7, 8}, 0.7));
  CHECK(weights_of(*fit.module) == fit.module->seen[1]);
  CHECK(fit.module->seen[1] != flat(weights[8]));
}

TEST_CASE("the averaging leaves the training itself as it is") {
  const auto weights = plain_training(kEmaEpochs);
  std::vector<Weights> after_epochs;
  EmaFit fit({.decay = 0.7}, [&](Trainer& trainer) {
    trainer.on<TrainEpochEnded>(
        "weights", [&](const TrainEpochEnded&, Live& live) { after_epochs.push_back(weights_of(live.module())); });
  });
  fit.run();
  REQUIRE(after_epochs.size() == 2);
  check_close(after_epochs[0], flat(weights[4]));
  check_close(after_epochs[1], flat(weights[8]));
}

TEST_CASE("updates come at the steps and epochs that the options name") {
  const auto weights = plain_training(kEmaEpochs);
  const auto check_updates = [&](const EMAWeightAveragingOptions& options, const std::vector<size_t>& updates) {
    EmaFit fit(options);
    fit.run();
    CHECK(fit.average().updates() == static_cast<int64_t>(updates.size()));
    check_close(weights_of(*fit.module), plain_average(weights, updates, options.decay));
  };
  SUBCASE("after steps 0, 3 and 6") {
    check_updates({.decay = 0.5, .update_every_n_steps = 3}, {1, 4, 7});
  }
  SUBCASE("after every step from the third on") {
    check_updates({.decay = 0.5, .update_starting_at_step = 2}, {3, 4, 5, 6, 7, 8});
  }
  SUBCASE("after steps of a period that begin later") {
    check_updates({.decay = 0.5, .update_every_n_steps = 3, .update_starting_at_step = 4}, {7});
  }
  SUBCASE("at the ends of epochs alone") {
    check_updates({.decay = 0.5, .update_every_n_steps = 0, .update_starting_at_epoch = 0}, {4, 8});
  }
  SUBCASE("at the ends of epochs besides steps") {
    check_updates({.decay = 0.5, .update_starting_at_epoch = 1}, {1, 2, 3, 4, 5, 6, 7, 8, 8});
  }
}

TEST_CASE("batches that only fill an accumulation window bring no update") {
  EmaFit fit({.decay = 0.5}, [](Trainer& trainer) {
    trainer.on<FitStarted>("accumulate", [](const FitStarted&, Control& control) { control.set_accumulation(2); });
  });
  fit.run();
  CHECK(fit.average().updates() == kEmaSteps / 2);
}

TEST_CASE("nothing is exchanged before the first update") {
  const auto weights = plain_training(kEmaEpochs);
  EmaFit fit({.decay = 0.5, .update_starting_at_step = 6});
  fit.run();
  check_close(fit.module->seen.at(0), flat(weights[4]));
  check_close(fit.module->seen.at(1), plain_average(weights, {7, 8}, 0.5));

  EmaFit never({.update_starting_at_step = 100});
  never.run();
  CHECK(never.average().updates() == 0);
  check_close(weights_of(*never.module), flat(weights[8]));
}

TEST_CASE("the module has its own weights again when a validation does not come to its end") {
  const auto weights = plain_training(1);
  SUBCASE("because the module throws") {
    EmaFit fit({.decay = 0.5});
    fit.module->in_validation = [&](int64_t batch_index) {
      if (batch_index == 1 && fit.module->global_step() == 4) {
        throw std::runtime_error("no more");
      }
    };
    CHECK_THROWS_WITH_AS(fit.run(), "no more", std::runtime_error);
    CHECK(fit.module->seen.size() == 1);
    CHECK(fit.module->seen.at(0) != weights_of(*fit.module));
    check_close(weights_of(*fit.module), flat(weights[4]));
  }
  SUBCASE("because a controller throws") {
    EmaFit fit({.decay = 0.5}, [](Trainer& trainer) {
      trainer.on<ValidationBatchEnded>("thrower", [](const ValidationBatchEnded&, Control& control) {
        if (control.run().global_step() == 4) {
          throw std::runtime_error("no more");
        }
      });
    });
    CHECK_THROWS_AS(fit.run(), CallbackError);
    check_close(weights_of(*fit.module), flat(weights[4]));
  }
  SUBCASE("because of a signal") {
    EmaFit fit({.decay = 0.5});
    fit.module->in_validation = [&](int64_t batch_index) {
      if (batch_index == 0 && fit.module->global_step() == 4) {
        std::raise(SIGTERM);
      }
    };
    CHECK(fit.run().status == v1::RUN_STATUS_INTERRUPTED);
    check_close(weights_of(*fit.module), flat(weights[4]));
  }
}

TEST_CASE("a checkpoint gives the weights that its validation ran on") {
  EmaFit fit({.decay = 0.5}, [](Trainer& trainer) {
    save_at<ValidationBatchEnded>(trainer, "within");
    save_at<ValidationEnded>(trainer, "after");
    save_at<TrainEnded>(trainer, "end");
  });
  fit.run();
  const Weights& validated = fit.module->seen.at(1);
  CHECK(averaged_weights_in(fit.checkpoint("after.ckpt")) == validated);
  CHECK(averaged_weights_in(fit.checkpoint("within.ckpt")) == validated);
  CHECK(averaged_weights_in(fit.checkpoint("end.ckpt")) == validated);
}

TEST_CASE("weights that were never averaged cannot be loaded") {
  EmaFit fit({.update_starting_at_step = 100}, [](Trainer& trainer) { save_at<TrainEnded>(trainer, "end"); });
  fit.run();
  TinyModule module;
  CHECK_THROWS_WITH_AS(load_averaged_weights(module, fit.checkpoint("end.ckpt")), doctest::Contains("had not begun"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(load_averaged_weights(module, fit.checkpoint("end.ckpt"), "Other"),
                       doctest::Contains("EMAWeightAveraging"), ConfigError);
}

TEST_CASE("averages of another model are refused, and change nothing") {
  EmaFit fit({.decay = 0.5}, [](Trainer& trainer) { save_at<TrainEnded>(trainer, "end"); });
  fit.run();
  TinyModule wider(3);
  const Weights before = weights_of(wider);
  CHECK_THROWS_AS(load_averaged_weights(wider, fit.checkpoint("end.ckpt")), MismatchError);
  CHECK(weights_of(wider) == before);
}

TEST_CASE("a run that goes on after its end goes on from its own weights") {
  EmaFit whole({.decay = 0.7}, {}, /*epochs=*/4);
  whole.run();
  const TemporaryFolder folder;
  Weights end;
  for (const int64_t epochs : {2, 4}) {
    torch::manual_seed(epochs == 2 ? 1 : 99);
    TinyModule module;
    TinyData data;
    auto options = tiny_options(folder.path() / "run");
    options.max_epochs = epochs;
    Trainer trainer(options);
    trainer.add(EMAWeightAveraging({.decay = 0.7}));
    save_at<TrainEnded>(trainer, "end");
    trainer.fit(module, data, epochs == 2 ? "" : "last");
    end = weights_of(module);
  }
  CHECK(end == weights_of(*whole.module));
}

TEST_CASE("a second fit begins a new average") {
  const TemporaryFolder folder;
  Trainer trainer(options_below(folder.path()));
  const auto handle = trainer.add(EMAWeightAveraging({.decay = 0.7}));
  for (int i = 0; i < 2; ++i) {
    TinyModule module(2 + i);
    TinyData wide(4, 2 + i);
    trainer.fit(module, wide);
    CHECK(handle.get().average().updates() == kEmaSteps);
  }
}

TEST_CASE("a validation by itself runs on the weights that there are") {
  const TemporaryFolder folder;
  Trainer trainer(options_below(folder.path()));
  trainer.add(EMAWeightAveraging({.decay = 0.5}));
  SeenModule module;
  TinyData data;
  trainer.fit(module, data);
  const Weights before = weights_of(module);
  module.seen.clear();
  trainer.validate(module, data);
  CHECK(module.seen.at(0) == before);
  CHECK(weights_of(module) == before);
}

TEST_CASE("a run with a moving average that is stopped and resumed ends with the same bits") {
  BrokenOffFit<> fit([](Trainer& trainer) {
    trainer.add(EMAWeightAveraging({.decay = 0.8, .update_every_n_steps = 2, .update_starting_at_epoch = 1}));
    trainer.add(ModelCheckpoint({.monitor = "val_loss", .save_last = true, .save_top_k = 2}));
  });
  CHECK(fit.unbroken().contains("callback EMAWeightAveraging"));
  int in_validation = 0;
  // Before and after the first update, within a window, within both validations of an epoch, in the last epoch.
  for (const int64_t stop : {3, 5, 7, 12, 13, 19, 25, 32, 42, 52, 54, 61, 64}) {
    in_validation += fit.check_stop(stop) ? 1 : 0;
  }
  CHECK(in_validation >= 3);
}

TEST_CASE("wrong options of a moving average are refused") {
  CHECK_THROWS_AS(EMAWeightAveraging({.decay = 1.5}), ConfigError);
  CHECK_THROWS_AS(EMAWeightAveraging({.decay = -0.1}), ConfigError);
  CHECK_THROWS_AS(EMAWeightAveraging({.update_every_n_steps = -1}), ConfigError);
  CHECK_THROWS_WITH_AS(EMAWeightAveraging({.update_every_n_steps = 0}),
                       doctest::Contains("EMAWeightAveraging: 'update_every_n_steps' = 0"), ConfigError);
  CHECK_THROWS_AS(EMAWeightAveraging({.update_starting_at_epoch = -1}), ConfigError);
}
