#include "troupe/callbacks/finetuning/model_pruning.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <concepts>
#include <functional>

#include "tests/support/broken_off_fit.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/small_fit.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

static_assert(std::copyable<ModelPruning>);

namespace {

using EpochWeights = std::vector<std::vector<float>>;

/// Trains a tiny module, with momentum and weight decay, and gives its weights after each epoch.
class PrunedTiny : public TinyModule {
 public:
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), sgd_options())}};
  }
  static torch::optim::SGDOptions sgd_options() {
    return torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01);
  }
};

EpochWeights pruned_fit(const ModelPruningOptions& options, int64_t epochs,
                        const std::function<void(TrainerOptions&)>& change = {}) {
  const TemporaryFolder folder;
  auto trainer_options = tiny_options(folder.path() / "run");
  trainer_options.max_epochs = epochs;
  if (change) {
    change(trainer_options);
  }
  torch::manual_seed(1);
  PrunedTiny module;
  TinyData data;
  Trainer trainer(trainer_options);
  trainer.add(ModelPruning(options));
  EpochWeights weights;
  trainer.on<TrainEpochEnded>(
      "weights", [&](const TrainEpochEnded&, Live& live) { weights.push_back(weights_of(live.module())); });
  trainer.fit(module, data);
  CHECK(weights_of(module) == weights.back());
  return weights;
}

/// The same by LibTorch alone, as torch.nn.utils.prune does it: the forward pass has weight * mask, the gradient goes
/// through that, and `amounts` of the elements left are masked after each epoch, by their absolute values.
EpochWeights plain_pruning(const std::vector<double>& amounts, bool rewinds, double clip = 0) {
  torch::manual_seed(1);
  PrunedTiny module;
  std::vector<at::Tensor> originals = module.parameters();
  std::vector<at::Tensor> start;
  std::vector<at::Tensor> masks;
  for (const auto& original : originals) {
    start.push_back(original.detach().clone());
    masks.push_back(torch::ones_like(original).detach());
  }
  torch::optim::SGD optimizer(originals, PrunedTiny::sgd_options());
  EpochWeights weights;
  for (const double amount : amounts) {
    for (int batch = 0; batch < 4; ++batch) {
      optimizer.zero_grad();
      const auto output =
          torch::nn::functional::linear(torch::ones({3, 4}), originals[0] * masks[0], originals[1] * masks[1]);
      torch::mse_loss(output, torch::zeros({3, 2})).backward();
      if (clip > 0) {
        torch::nn::utils::clip_grad_norm_(originals, clip);
      }
      optimizer.step();
    }
    const torch::NoGradGuard no_grad;
    const auto scores = at::cat({(originals[0] * masks[0]).abs().flatten(), (originals[1] * masks[1]).abs().flatten()});
    auto mask = at::cat({masks[0].flatten(), masks[1].flatten()});
    const int64_t left = mask.sum().item<int64_t>();
    const auto taken = static_cast<int64_t>(std::nearbyint(amount * static_cast<double>(left)));
    const auto order = scores.masked_fill(mask == 0, 1e30).argsort();
    mask.index_fill_(0, order.slice(0, 0, taken), 0);
    masks = {mask.slice(0, 0, 8).reshape({2, 4}).clone(), mask.slice(0, 8).clone()};
    std::vector<float> row;
    for (size_t i = 0; i < 2; ++i) {
      if (rewinds) {
        originals[i].copy_(start[i]);
      }
      const auto values = (originals[i] * masks[i]).contiguous().view(-1);
      row.insert(row.end(), values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
    }
    weights.push_back(row);
  }
  return weights;
}

void check_same_weights(const EpochWeights& actual, const EpochWeights& wanted) {
  REQUIRE(actual.size() == wanted.size());
  for (size_t epoch = 0; epoch < wanted.size(); ++epoch) {
    for (size_t i = 0; i < wanted[epoch].size(); ++i) {
      CAPTURE(epoch);
      CAPTURE(i);
      CHECK((actual[epoch][i] == 0) == (wanted[epoch][i] == 0));
      CHECK(actual[epoch][i] == doctest::Approx(wanted[epoch][i]).epsilon(1e-4));
    }
  }
}

int64_t zeros_of(const std::vector<float>& weights) {
  return std::count(weights.begin(), weights.end(), 0.0F);
}

}  // namespace

TEST_CASE("pruning trains as with masks in the forward pass, but for what weight decay does to masked elements") {
  check_same_weights(pruned_fit({.amount = 0.3}, 4), plain_pruning({0.3, 0.3, 0.3, 0.3}, false));
}

TEST_CASE("the gradients of pruned elements do not count when gradients are clipped") {
  check_same_weights(pruned_fit({.amount = 0.3}, 3, [](TrainerOptions& options) { options.gradient_clip_val = 0.05; }),
                     plain_pruning({0.3, 0.3, 0.3}, false, 0.05));
}

TEST_CASE("every epoch can have an amount of its own, and none beyond the last") {
  check_same_weights(pruned_fit({.amounts = {0.0, 0.5, 0.25}}, 5), plain_pruning({0, 0.5, 0.25, 0, 0}, false));
  const auto counted = pruned_fit({.amounts = {3, 1}}, 3);
  CHECK(zeros_of(counted[0]) == 3);
  CHECK(zeros_of(counted[1]) == 4);
  CHECK(zeros_of(counted[2]) == 4);
}

TEST_CASE("what is left goes back to the values of the start") {
  const auto weights = pruned_fit({.amount = 0.3, .use_lottery_ticket_hypothesis = true}, 2);
  check_same_weights({weights[0]}, {plain_pruning({0.3}, true)[0]});
  torch::manual_seed(1);
  const auto start = weights_of(PrunedTiny());
  for (size_t i = 0; i < start.size(); ++i) {
    CHECK((weights[1][i] == 0 || weights[1][i] == start[i]));
  }
  CHECK(zeros_of(weights[1]) == 5);  // 3 of 10, then 2 of 7.
}

TEST_CASE("only the parameters that are named are pruned") {
  const auto bias_alone = pruned_fit({.amount = 1.0, .parameter_names = {"bias"}}, 2);
  CHECK(zeros_of(bias_alone[1]) == 2);
  CHECK(bias_alone[1][8] == 0);
  const auto one = pruned_fit({.amount = 1.0, .parameters_to_prune = {"linear.weight"}}, 2);
  CHECK(zeros_of(one[1]) == 8);
  CHECK(one[1][8] != 0);
}

TEST_CASE("channels are pruned by their norm") {
  const auto rows = pruned_fit({.amount = 1,
                                .parameter_names = {"weight"},
                                .pruning_dim = 0,
                                .pruning_fn = PruningFunction::kLnStructured,
                                .pruning_norm = 1.0,
                                .use_global_unstructured = false},
                               1)[0];
  CHECK(zeros_of(rows) == 4);
  const bool first = rows[0] == 0;
  for (size_t i = 0; i < 8; ++i) {
    CHECK((rows[i] == 0) == (first == (i < 4)));
  }
}

TEST_CASE("pruning waits for validations where it is told to") {
  const auto weights = pruned_fit({.amount = 2, .prune_on_train_epoch_end = false}, 2, [](TrainerOptions& options) {
    options.check_val_every_n_epoch = 2;
    options.num_sanity_val_steps = 2;
  });
  CHECK(zeros_of(weights[0]) == 0);
  CHECK(zeros_of(weights[1]) == 2);
}

TEST_CASE("pruning says what it came to") {
  std::string said;
  {
    const testing::CapturedStderr captured;
    pruned_fit({.amount = 0.3, .verbose = 2}, 2);
    said = captured.text();
  }
  CHECK(said.find("in epoch 0: 3 of 10 elements are pruned (30.00 %), 0 before (0.00 %)") != std::string::npos);
  CHECK(said.find("in epoch 1: 5 of 10 elements are pruned (50.00 %), 3 before (30.00 %)") != std::string::npos);
  CHECK(said.find("linear.weight: ") != std::string::npos);
}

TEST_CASE("a run with pruning that is stopped and resumed ends with the same bits") {
  const std::vector<ModelPruningOptions> each = {{.amount = 0.2},
                                                 {.amount = 0.3,
                                                  .pruning_fn = PruningFunction::kRandomUnstructured,
                                                  .seed = 4,
                                                  .use_lottery_ticket_hypothesis = true}};
  for (const auto& options : each) {
    BrokenOffFit<> fit([&](Trainer& trainer) {
      trainer.add(ModelPruning(options));
      trainer.add(ModelCheckpoint({.monitor = "val_loss", .save_top_k = 2, .save_last = true}));
    });
    CHECK(fit.unbroken().contains("callback ModelPruning"));
    int in_validation = 0;
    // Before the first pruning, and between the others; within windows and validations.
    for (const int64_t stop : {4, 11, 24, 25, 33, 40, 46, 53}) {
      in_validation += fit.check_stop(stop) ? 1 : 0;
    }
    CHECK(in_validation >= 2);
  }
}

TEST_CASE("pruning of what the module does not have is refused before the first step") {
  CHECK_THROWS_WITH_AS(pruned_fit({.parameters_to_prune = {"linea"}}, 1), doctest::Contains("'linea'"), CallbackError);
  CHECK_THROWS_WITH_AS(pruned_fit({.parameter_names = {"kernel"}}, 1), doctest::Contains("ModelPruning"),
                       CallbackError);
}

TEST_CASE("wrong options of pruning are refused") {
  CHECK_THROWS_AS(ModelPruning({.amount = 1.5}), ConfigError);
  CHECK_THROWS_AS(ModelPruning({.amounts = {0.5, -1}}), ConfigError);
  CHECK_THROWS_AS(ModelPruning({.parameter_names = {}}), ConfigError);
  CHECK_THROWS_AS(ModelPruning({.pruning_dim = 0}), ConfigError);
  CHECK_THROWS_AS(ModelPruning({.pruning_norm = 1.0}), ConfigError);
  CHECK_THROWS_AS(ModelPruning({.verbose = 3}), ConfigError);
  CHECK_THROWS_WITH_AS(ModelPruning({.pruning_dim = 0, .pruning_fn = PruningFunction::kRandomStructured}),
                       doctest::Contains("use_global_unstructured"), ConfigError);
  CHECK_THROWS_WITH_AS(ModelPruning({.pruning_fn = PruningFunction::kLnStructured, .use_global_unstructured = false}),
                       doctest::Contains("'pruning_dim'"), ConfigError);
  CHECK_NOTHROW(ModelPruning(
      {.pruning_dim = 0, .pruning_fn = PruningFunction::kRandomStructured, .use_global_unstructured = false}));
}
