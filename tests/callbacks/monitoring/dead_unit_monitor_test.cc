#include "troupe/callbacks/monitoring/dead_unit_monitor.h"

#include <doctest/doctest.h>

#include "tests/support/commanded_metrics.h"
#include "tests/support/small_data.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Four ReLU units: the first opens never, the second in the first batch of each epoch alone, the others always.
class ReluModule : public Module {
 public:
  ReluModule() {
    hidden_ = register_module("hidden", torch::nn::Linear(3, 4));
    out_ = register_module("out", torch::nn::Linear(4, 1));
    const torch::NoGradGuard no_grad;
    hidden_->weight.fill_(0.01);
    hidden_->bias.copy_(torch::tensor({-100.0, -100.0, 100.0, 100.0}));
    out_->weight.fill_(0.5);
  }
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    at::Tensor shift = torch::zeros({4});
    shift[1] = batch_index == 0 ? 200.0 : 0.0;
    return out_->forward(torch::relu(hidden_->forward(batch.data) + shift)).mean();
  }
  void validation_step(const Batch& /*batch*/, int64_t /*batch_index*/) override {}
  std::vector<OptimizerConfig> configure_optimizers() override {
    return {{.optimizer = std::make_shared<torch::optim::SGD>(parameters(), torch::optim::SGDOptions(1e-3))}};
  }

 private:
  torch::nn::Linear hidden_{nullptr};
  torch::nn::Linear out_{nullptr};
};

std::map<uint64_t, std::map<std::string, double>> dead_units(const std::filesystem::path& run_dir,
                                                             const DeadUnitMonitorOptions& options, int64_t epochs = 2,
                                                             bool resume = false) {
  ReluModule module;
  SmallData data;
  TrainerOptions trainer_options = tiny_options(run_dir);
  trainer_options.max_epochs = epochs;
  trainer_options.enable_checkpointing = true;
  Trainer trainer(trainer_options);
  trainer.add(DeadUnitMonitor(options));
  trainer.fit(module, data, resume ? "last" : "");
  return commanded_metrics(run_dir);
}

}  // namespace

TEST_CASE("units whose gradients are 0 at every look of a window are dead") {
  const TemporaryFolder folder;
  const auto found = dead_units(folder.path(), {.every_n_steps = 1, .window = 3});
  // Batches 0 to 2 of an epoch have the one that opens the second unit, batches 3 to 5 have it not.
  REQUIRE(found.size() == 4);
  CHECK(found.at(2).at("dead_units/hidden") == 0.25);  // While the third step is made.
  CHECK(found.at(5).at("dead_units/hidden") == 0.5);
  CHECK(found.at(8).at("dead_units/hidden") == 0.25);
  CHECK(found.at(11).at("dead_units/hidden") == 0.5);
  CHECK(found.at(2).at("dead_units/out") == 0);
}

TEST_CASE("only the steps that are looked at count") {
  const TemporaryFolder folder;
  const auto found = dead_units(folder.path(), {.every_n_steps = 2, .window = 6});
  REQUIRE(found.size() == 2);
  CHECK(found.at(5).at("dead_units/hidden") == 0.5);  // Batches 1, 3 and 5.
}

TEST_CASE("a window that a checkpoint was taken in goes on after a resume") {
  const TemporaryFolder folder;
  const DeadUnitMonitorOptions options{.every_n_steps = 1, .window = 9};
  dead_units(folder.path() / "resumed", options, 1);
  const auto resumed = dead_units(folder.path() / "resumed", options, 3, /*resume=*/true);
  const auto whole = dead_units(folder.path() / "whole", options, 3);
  CHECK(resumed == whole);
  REQUIRE(whole.size() == 2);
  CHECK(whole.at(8).at("dead_units/hidden") == 0.25);
}

TEST_CASE("state of a DeadUnitMonitor that is cut short is refused, and so are windows that do not fit") {
  StateDict state = DeadUnitMonitor().state_dict();
  state.set("layers", std::vector<std::string>{"hidden"});
  state.set("sizes", std::vector<double>{4});
  state.set_bytes("alive", "\1");
  DeadUnitMonitor monitor;
  CHECK_THROWS_AS(monitor.load_state_dict(state), CorruptionError);
  CHECK_THROWS_AS(DeadUnitMonitor({.every_n_steps = 3, .window = 10}), ConfigError);
  CHECK_THROWS_AS(DeadUnitMonitor({.every_n_steps = 0}), ConfigError);
}
