#include "troupe/callbacks/monitoring/gradient_monitor.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/commanded_metrics.h"
#include "tests/support/small_data.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

using Values = std::map<std::string, double>;

/// Every parameter, flat, of a layer of a SmallModule; or their gradients.
at::Tensor layer_values(const SmallModule& module, const std::string& layer, bool gradients) {
  std::vector<at::Tensor> flat;
  for (const auto& named : module.named_parameters()) {
    if (named.key().starts_with(layer + ".")) {
      const at::Tensor& value = gradients ? named.value().grad() : named.value();
      flat.push_back(value.detach().to(at::kDouble).flatten().clone());
    }
  }
  return torch::cat(flat);
}

const std::vector<std::string> kLayers = {"backbone.0", "backbone.1", "head"};

/// Notes at each step what the monitor should find.
class WatchedModule : public SmallModule {
 public:
  void on_before_optimizer_step() override {
    double squares = 0;
    for (const auto& layer : kLayers) {
      const at::Tensor gradients = layer_values(*this, layer, /*gradients=*/true);
      const double norm = gradients.norm().item<double>();
      squares += norm * norm;
      now_["grad_norm/" + layer] = norm;
      now_["grad_zeros/" + layer] = gradients.eq(0).to(at::kDouble).mean().item<double>();
      before_[layer] = layer_values(*this, layer, /*gradients=*/false);
    }
    now_["grad_norm_total"] = std::sqrt(squares);
  }
  void on_train_batch_end(const Batch& /*batch*/, int64_t /*batch_index*/) override {
    if (before_.empty()) {
      return;
    }
    for (const auto& layer : kLayers) {
      const at::Tensor change = layer_values(*this, layer, /*gradients=*/false) - before_[layer];
      now_["update_ratio/" + layer] = (change.norm() / before_[layer].norm()).item<double>();
    }
    before_.clear();
    expected[static_cast<uint64_t>(global_step())] = now_;
  }
  std::map<uint64_t, Values> expected;  ///< By step.

 private:
  Values now_;
  std::map<std::string, at::Tensor> before_;
};

struct MonitoredFit {
  MonitoredFit(const std::filesystem::path& run_dir, const GradientMonitorOptions& monitor,
               TrainerOptions options = {}) {
    options.run_dir = run_dir.string();
    options.max_epochs = 1;
    options.enable_progress_bar = false;
    options.enable_model_summary = false;
    options.enable_checkpointing = false;
    torch::manual_seed(3);
    SmallData data;
    Trainer trainer(options);
    trainer.add(GradientMonitor(monitor));
    trainer.fit(module, data);
    found = commanded_metrics(run_dir);
  }
  WatchedModule module;
  std::map<uint64_t, Values> found;
};

void check_values(const Values& found, const Values& expected) {
  CHECK(found.size() == expected.size());
  for (const auto& [name, value] : expected) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == doctest::Approx(value).epsilon(1e-5));
  }
}

/// Two layers, each with an optimizer that makes a step in every batch.
class TwoOptimizers : public Module {
 public:
  TwoOptimizers() {
    first_ = register_module("first", torch::nn::Linear(3, 1));
    second_ = register_module("second", torch::nn::Linear(3, 1));
  }
  bool automatic_optimization() const override { return false; }
  at::Tensor training_step(const Batch& batch, int64_t /*batch_index*/) override {
    manual_backward(torch::mse_loss(first_->forward(batch.data) + second_->forward(batch.data), batch.target));
    for (int64_t i = 0; i < 2; ++i) {
      optimizer(i).step();
      optimizer(i).zero_grad();
    }
    return {};
  }
  void validation_step(const Batch& /*batch*/, int64_t /*batch_index*/) override {}
  std::vector<OptimizerConfig> configure_optimizers() override {
    const auto sgd = [](const torch::nn::Linear& layer) {
      return std::make_shared<torch::optim::SGD>(layer->parameters(), torch::optim::SGDOptions(0.1));
    };
    return {{.optimizer = sgd(first_)}, {.optimizer = sgd(second_)}};
  }

 private:
  torch::nn::Linear first_{nullptr};
  torch::nn::Linear second_{nullptr};
};

}  // namespace

TEST_CASE("norms, zeros and updates of each layer are logged at every n-th step") {
  const TemporaryFolder folder;
  const MonitoredFit fit(folder.path(), {.every_n_steps = 2});
  REQUIRE(fit.found.size() == 3);
  for (const uint64_t step : {2, 4, 6}) {
    CAPTURE(step);
    REQUIRE(fit.found.contains(step));
    check_values(fit.found.at(step), fit.module.expected.at(step));
  }
}

TEST_CASE("gradients are those of the whole window, before they are clipped") {
  const TemporaryFolder folder;
  TrainerOptions options;
  options.accumulate_grad_batches = 2;
  options.gradient_clip_val = 1e-3;
  const MonitoredFit fit(folder.path(), {.every_n_steps = 1}, options);
  REQUIRE(fit.found.size() == 3);
  for (const auto& [step, values] : fit.found) {
    check_values(values, fit.module.expected.at(step));
    CHECK(values.at("grad_norm_total") > 1e-2);
  }
}

TEST_CASE("what nobody wants to know is left out, and the monitor changes nothing") {
  const TemporaryFolder folder;
  const MonitoredFit little(folder.path() / "a", {.every_n_steps = 6, .log_update_ratio = false, .log_zeros = false});
  REQUIRE(little.found.size() == 1);
  CHECK(little.found.at(6).size() == 4);
  CHECK(little.found.at(6).contains("grad_norm/head"));
  CHECK(little.found.at(6).contains("grad_norm_total"));
  const MonitoredFit all(folder.path() / "b", {.every_n_steps = 1});
  CHECK(weights_of(all.module) == weights_of(little.module));
}

TEST_CASE("with several optimizers the steps count whichever makes them") {
  const TemporaryFolder folder;
  TwoOptimizers module;
  SmallData data;
  TrainerOptions options = tiny_options(folder.path());
  options.max_epochs = 1;
  Trainer trainer(options);
  trainer.add(GradientMonitor({.every_n_steps = 3}));
  trainer.fit(module, data);
  // Step 3 is the first one of its batch, at whose end there are 4: nothing tells of it. Steps 6 and 12 are the second.
  const auto found = commanded_metrics(folder.path());
  REQUIRE(found.size() == 2);
  for (const uint64_t step : {6, 12}) {
    REQUIRE(found.contains(step));
    CHECK(found.at(step).contains("grad_norm/second"));
    CHECK_FALSE(found.at(step).contains("grad_norm/first"));
  }
}

TEST_CASE("a GradientMonitor needs a step to look at") {
  CHECK_THROWS_AS(GradientMonitor({.every_n_steps = 0}), ConfigError);
}
