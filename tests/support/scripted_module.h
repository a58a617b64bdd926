#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/data/data_module.h"
#include "troupe/runtime/data/fixed_batches.h"
#include "troupe/runtime/module/module.h"

namespace troupe {

/// Values that a module logs one after the other; the last one again and again.
struct ScriptedMetric {
  std::string name;
  std::string at;  ///< "train_batch", "train_epoch", "validation", "validation_step", "test" or "predict".
  std::vector<double> values;
};

/// Writes down the hooks and steps that are called, of the module and (after "data.") of the data, and throws at some.
class HookScript {
 public:
  explicit HookScript(std::vector<std::string> throw_at) : throw_at_(std::move(throw_at)) {}

  void reach(const std::string& hook) {
    hooks_.push_back(hook);
    if (std::find(throw_at_.begin(), throw_at_.end(), hook) != throw_at_.end()) {
      throw std::runtime_error("thrown at " + hook);
    }
  }
  const std::vector<std::string>& hooks() const { return hooks_; }

 private:
  std::vector<std::string> throw_at_;
  std::vector<std::string> hooks_;
};

/// What a scripted module does; tests/support/scripted_run.md says it for users.
struct ModuleScript {
  std::vector<ScriptedMetric> metrics = {};
  int64_t optimizers = 1;
  bool manual = false;
  std::optional<OptimizerConfig::Interval> lr_schedule = {};  ///< What a schedule counts; unset: there is none.
  std::optional<double> initial_weight = {};                  ///< Of every parameter; unset: LibTorch's.
  std::vector<std::string> throw_at = {};                     ///< Hooks or steps that throw, of the data too.
  bool nondeterministic = false;                              ///< The training step does what has no deterministic way.
  int64_t nan_at = -1;                                        ///< Batch whose backward pass gives NaN; -1: none.
  int64_t skip_epoch_at = -1;  ///< Batch that leaves out the rest of its epoch; -1: none.
};

/// Linear(32, 2) under SGD, one for each optimizer. How often each metric has been logged is a buffer, so that a
/// resumed run goes on in the script.
class ScriptedModule : public Module {
 public:
  explicit ScriptedModule(ModuleScript script)
      : script_(std::move(script)), hooks_(std::make_shared<HookScript>(script_.throw_at)) {
    for (int64_t i = 0; i < script_.optimizers; ++i) {
      const std::string name = i == 0 ? "linear" : "linear" + std::to_string(i);
      linears_.push_back(register_module(name, torch::nn::Linear(32, 2)));
    }
    logged_ = register_buffer("logged", torch::zeros({static_cast<int64_t>(script_.metrics.size())}, torch::kLong));
    if (script_.initial_weight) {
      const torch::NoGradGuard no_grad;
      for (auto& parameter : parameters()) {
        parameter.fill_(*script_.initial_weight);
      }
    }
  }

  const std::shared_ptr<HookScript>& hook_script() const { return hooks_; }
  /// Called so far.
  const std::vector<std::string>& hooks() const { return hooks_->hooks(); }
  /// Element type that the Linear last computed in, by step.
  const std::map<std::string, std::string>& dtypes() const { return dtypes_; }
  /// An element of the first Linear's weight.
  double weight() const { return linears_[0]->weight[0][0].item<double>(); }

  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    reach("training_step");
    log_scripted("train_batch");
    if (script_.nondeterministic) {
      torch::zeros({2}).put_(torch::zeros({1}, torch::kLong), torch::ones({1}));
    }
    if (script_.manual) {
      for (int64_t i = 0; i < script_.optimizers; ++i) {
        auto each = optimizer(i);
        each.zero_grad();
        manual_backward(loss_of(linears_[static_cast<size_t>(i)], batch, batch_index));
        each.step();
      }
      return {};
    }
    return loss_of(linears_[0], batch, batch_index);
  }
  void validation_step(const Batch& batch, int64_t /*batch_index*/) override {
    reach("validation_step");
    forward("validation_step", linears_[0], batch);
    if (!sanity_checking()) {
      log_scripted("validation_step");
    }
  }
  void test_step(const Batch& batch, int64_t /*batch_index*/) override {
    reach("test_step");
    forward("test_step", linears_[0], batch);
    log_scripted("test");
  }
  at::Tensor predict_step(const Batch& batch, int64_t /*batch_index*/) override {
    reach("predict_step");
    return forward("predict_step", linears_[0], batch);
  }
  std::vector<OptimizerConfig> configure_optimizers() override {
    reach("configure_optimizers");
    std::vector<OptimizerConfig> configs;
    for (auto& linear : linears_) {
      OptimizerConfig config{
          .optimizer = std::make_shared<torch::optim::SGD>(linear->parameters(), torch::optim::SGDOptions(0.1))};
      if (script_.lr_schedule) {
        config.lr_schedule = lr_schedule::exponential(0.5);
        config.interval = *script_.lr_schedule;
      }
      configs.push_back(std::move(config));
    }
    return configs;
  }
  bool automatic_optimization() const override { return !script_.manual; }

  void setup(Stage /*stage*/) override { reach("setup"); }
  void teardown(Stage /*stage*/) override { reach("teardown"); }
  void on_exception(const std::string& /*message*/) override { reach("on_exception"); }
  void on_save_checkpoint(StateDict& /*state*/) override { reach("on_save_checkpoint"); }
  void on_load_checkpoint(const StateDict& /*state*/) override { reach("on_load_checkpoint"); }
  Batch transfer_batch(Batch batch) override {
    reach("transfer_batch");
    return batch;
  }
  bool lr_scheduler_step() override {
    reach("lr_scheduler_step");
    return true;
  }
  EpochGoes on_train_batch_start(const Batch& /*batch*/, int64_t batch_index) override {
    reach("on_train_batch_start");
    return batch_index == script_.skip_epoch_at ? EpochGoes::kToItsEnd : EpochGoes::kOn;
  }
  void on_train_epoch_end() override {
    reach("on_train_epoch_end");
    log_scripted("train_epoch");
  }
  void on_validation_epoch_end() override {
    reach("on_validation_epoch_end");
    if (!sanity_checking()) {
      log_scripted("validation");
    }
  }
  void on_before_backward(const at::Tensor& /*loss*/) override { reach("on_before_backward"); }
  void configure_gradient_clipping(std::optional<double> value, GradientClipAlgorithm algorithm) override {
    reach("configure_gradient_clipping");
    Module::configure_gradient_clipping(value, algorithm);
  }
  void optimizer_step(torch::optim::Optimizer& optimizer) override {
    reach("optimizer_step");
    optimizer.step();
  }

#define SCRIPTED_HOOK(name) \
  void name() override {    \
    reach(#name);           \
  }
#define SCRIPTED_BATCH_HOOK(name)                                       \
  void name(const Batch& /*batch*/, int64_t /*batch_index*/) override { \
    reach(#name);                                                       \
  }
#define SCRIPTED_EVAL_HOOK(name) \
  void name() override {         \
    reach(#name);                \
    eval();                      \
  }
  SCRIPTED_HOOK(on_fit_start)
  SCRIPTED_HOOK(on_fit_end)
  SCRIPTED_HOOK(on_train_start)
  SCRIPTED_HOOK(on_train_end)
  SCRIPTED_HOOK(on_train_epoch_start)
  SCRIPTED_BATCH_HOOK(on_train_batch_end)
  SCRIPTED_HOOK(on_validation_start)
  SCRIPTED_HOOK(on_validation_end)
  SCRIPTED_HOOK(on_validation_epoch_start)
  SCRIPTED_BATCH_HOOK(on_validation_batch_start)
  SCRIPTED_BATCH_HOOK(on_validation_batch_end)
  SCRIPTED_EVAL_HOOK(on_validation_model_eval)
  SCRIPTED_HOOK(on_validation_model_train)
  SCRIPTED_HOOK(on_test_start)
  SCRIPTED_HOOK(on_test_end)
  SCRIPTED_HOOK(on_test_epoch_start)
  SCRIPTED_HOOK(on_test_epoch_end)
  SCRIPTED_BATCH_HOOK(on_test_batch_start)
  SCRIPTED_BATCH_HOOK(on_test_batch_end)
  SCRIPTED_EVAL_HOOK(on_test_model_eval)
  SCRIPTED_HOOK(on_test_model_train)
  SCRIPTED_HOOK(on_predict_start)
  SCRIPTED_HOOK(on_predict_end)
  SCRIPTED_HOOK(on_predict_epoch_start)
  SCRIPTED_HOOK(on_predict_epoch_end)
  SCRIPTED_BATCH_HOOK(on_predict_batch_start)
  SCRIPTED_BATCH_HOOK(on_predict_batch_end)
  SCRIPTED_EVAL_HOOK(on_predict_model_eval)
  SCRIPTED_HOOK(on_predict_model_train)
  SCRIPTED_HOOK(on_before_zero_grad)
  SCRIPTED_HOOK(on_after_backward)
  SCRIPTED_HOOK(on_before_optimizer_step)
#undef SCRIPTED_HOOK
#undef SCRIPTED_BATCH_HOOK
#undef SCRIPTED_EVAL_HOOK

 private:
  void reach(const std::string& hook) {
    hooks_->reach(hook);
  }

  at::Tensor forward(const std::string& step, torch::nn::Linear& linear, const Batch& batch) {
    at::Tensor output = linear->forward(batch.data);
    dtypes_[step] = c10::toString(output.scalar_type());
    return output;
  }

  at::Tensor loss_of(torch::nn::Linear& linear, const Batch& batch, int64_t batch_index) {
    const auto loss = forward("training_step", linear, batch).pow(2).mean();
    return batch_index == script_.nan_at ? (loss * 0).sqrt() * 0 : loss;  // 0 / 0 on the way back.
  }

  void log_scripted(const std::string& at) {
    for (size_t i = 0; i < script_.metrics.size(); ++i) {
      if (script_.metrics[i].at == at) {
        auto* logged = logged_.data_ptr<int64_t>() + i;
        const auto& values = script_.metrics[i].values;
        log(script_.metrics[i].name, values[std::min(static_cast<size_t>(*logged), values.size() - 1)]);
        ++*logged;
      }
    }
  }

  ModuleScript script_;
  std::shared_ptr<HookScript> hooks_;
  std::vector<torch::nn::Linear> linears_;
  at::Tensor logged_;
  std::map<std::string, std::string> dtypes_;
};

/// How many batches each stage has.
struct DataScript {
  int64_t train_batches = 4;
  int64_t val_batches = 2;
  int64_t val_loaders = 1;
  int64_t test_batches = 2;
  int64_t predict_batches = 2;
  int64_t batch_size = 4;
};

/// Batches of ones. A stage without batches has no loader, but for training.
class ScriptedData : public DataModule {
 public:
  /// `hooks`: those of the module, which the data's are written among.
  explicit ScriptedData(const DataScript& script, std::shared_ptr<HookScript> hooks = nullptr)
      : script_(script), hooks_(hooks ? std::move(hooks) : std::make_shared<HookScript>(std::vector<std::string>())) {}
  void prepare_data() override { hooks_->reach("data.prepare_data"); }
  void setup(Stage /*stage*/) override { hooks_->reach("data.setup"); }
  void teardown(Stage /*stage*/) override { hooks_->reach("data.teardown"); }
  StateDict state_dict() const override {
    hooks_->reach("data.state_dict");
    return {};
  }
  void load_state_dict(const StateDict& /*state*/) override { hooks_->reach("data.load_state_dict"); }
  std::shared_ptr<DataLoader> train_dataloader() override { return batches(script_.train_batches); }
  DataLoaders val_dataloaders() override {
    const auto loaders = script_.val_batches == 0 ? 0 : script_.val_loaders;
    DataLoaders result;
    for (int64_t i = 0; i < loaders; ++i) {
      result.push_back(batches(script_.val_batches));
    }
    return result;
  }
  std::shared_ptr<DataLoader> test_dataloader() override { return batches(script_.test_batches); }
  std::shared_ptr<DataLoader> predict_dataloader() override { return batches(script_.predict_batches); }

 private:
  std::shared_ptr<DataLoader> batches(int64_t number) const {
    const Batch batch{torch::ones({script_.batch_size, 32}), torch::zeros({script_.batch_size}, torch::kLong), {}};
    return std::make_shared<FixedBatches>(std::vector<Batch>(static_cast<size_t>(number), batch));
  }
  DataScript script_;
  std::shared_ptr<HookScript> hooks_;
};

}  // namespace troupe
