#include "troupe/runtime/loop/trial.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/loop/evaluation_loop.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/loop_limits.h"

namespace troupe {
namespace {

/// Everything that a trial changes, as it was; put_back() restores it.
class Undo {
 public:
  explicit Undo(Training& training)
      : training_(training),
        snapshot_(training.capture(/*weights_only=*/false)),
        metrics_(training.epoch_metrics()),
        eval_modes_(modules_in_eval_mode(training.module())) {
    for (auto& parameter : training_.module().parameters()) {
      gradients_.push_back(parameter.mutable_grad());
      parameter.mutable_grad().reset();  // Kept as they are: the trial's are other tensors.
    }
  }

  void put_back() {
    v1::LoopState loop;  // Not changed by a trial; the loop holds references into it, which an assignment would break.
    loop.Swap(&training_.loop());
    training_.restore(*snapshot_);
    loop.Swap(&training_.loop());
    training_.epoch_metrics() = metrics_;
    set_modules_in_eval_mode(training_.module(), eval_modes_);
    auto gradient = gradients_.begin();
    for (auto& parameter : training_.module().parameters()) {
      parameter.mutable_grad() = *gradient++;
    }
  }

 private:
  Training& training_;
  std::shared_ptr<Snapshot> snapshot_;
  MetricCollector metrics_;
  std::vector<std::string> eval_modes_;
  std::vector<at::Tensor> gradients_;
};

/// Another loader of the same data and batches.
std::shared_ptr<DataLoader> loader_beside(const TrialGround& ground, const std::string& what) {
  auto loader = ground.loader.another(/*batch_size=*/0);
  if (loader == nullptr) {
    throw ConfigError(what + ": the train loader cannot make another one of itself: override DataLoader::another");
  }
  return loader;
}

std::shared_ptr<DataLoader> trial_loader(const TrialGround& ground, const TrialOptions& options) {
  if (options.steps < 1 || options.batch_size < 0) {
    throw ConfigError("run_trial: steps must be at least 1 and batch_size at least 0, got " +
                      std::to_string(options.steps) + " and " + std::to_string(options.batch_size));
  }
  if (options.batch_size == 0) {
    return loader_beside(ground, "run_trial");
  }
  auto loader = ground.loader.another(options.batch_size);
  if (loader == nullptr) {
    throw ConfigError(
        "run_trial: the train loader cannot make batches of another size: override DataLoader::another, or leave "
        "batch_size at 0");
  }
  return loader;
}

/// The batches of one epoch after the other.
class TrialBatches {
 public:
  TrialBatches(const TrialGround& ground, const TrialOptions& options)
      : loader_(trial_loader(ground, options)), epoch_(ground.epoch), batches_(loader_->batches()) {
    if (batches_ == DataLoader::kUnknown) {
      batches_ = kUntilTheEnd;
    }
    if (ground.batches > 0 && options.batch_size == 0) {
      batches_ = std::min(batches_, ground.batches);
    }
    loader_->begin(epoch_, 0);
  }
  int64_t index() const { return index_; }
  Batch next() {
    const bool ended = loader_->batches() == DataLoader::kUnknown && loader_->at_end();
    if (++index_ == batches_ || ended) {
      loader_->begin(++epoch_, 0);
      index_ = 0;
    }
    return loader_->next();
  }

 private:
  std::shared_ptr<DataLoader> loader_;
  int64_t epoch_;
  int64_t batches_;
  int64_t index_ = -1;
};

void set_rates(Training& training, double lr) {
  for (torch::optim::Optimizer& optimizer : training.all_optimizers()) {
    for (auto& group : optimizer.param_groups()) {
      group.options().set_lr(lr);
    }
  }
}

/// One window of batches and its step.
TrialStep make_step(const TrialGround& ground, TrialBatches& batches, ModuleContext& context,
                    MetricCollector& nowhere) {
  TrialStep step;
  step.learning_rate = ground.training.learning_rates().front();
  const auto window = static_cast<double>(ground.batches_per_step);
  for (int64_t i = 0; i < ground.batches_per_step; ++i) {
    const Batch batch = batches.next();
    context.enter_step(nowhere, batch.size(), /*logs_per_step=*/true);
    const at::Tensor loss = ground.training_step(batch, batches.index());
    if (i == 0) {
      ground.zero_grad();
    }
    if (loss.defined()) {
      ground.backward(ground.batches_per_step == 1 ? loss : loss / ground.batches_per_step);
    }
    step.loss += loss.defined() ? loss.item<double>() / window : std::numeric_limits<double>::quiet_NaN();
    step.samples += batch.size();
    step.batch_size = std::max(step.batch_size, batch.size());
  }
  ground.step();
  context.leave();
  return step;
}

TrialResult make_steps(const TrialGround& ground, const TrialOptions& options) {
  TrialResult result;
  TrialBatches batches(ground, options);
  ModuleContext context(ground.training.module());
  context.set_emit([](const ModuleEvent&) {});
  MetricCollector nowhere;
  const torch::AutoGradMode grad_mode(true);
  set_modules_in_eval_mode(ground.training.module(), ground.training.modules_not_training());
  for (int64_t index = 0; index < options.steps; ++index) {
    if (options.learning_rate) {
      set_rates(ground.training, options.learning_rate(index));
    }
    result.steps.push_back(make_step(ground, batches, context, nowhere));
    result.steps.back().index = index;
    nowhere.reset();
    if (options.after_step && !options.after_step(result.steps.back())) {
      break;
    }
  }
  return result;
}

void run_forward_batches(const TrialGround& ground, DataLoader& loader) {
  Module& module = ground.training.module();
  ModuleContext context(module);
  context.set_emit([](const auto&) {});
  MetricCollector nowhere;
  const torch::NoGradGuard no_grad;
  set_modules_in_eval_mode(module, ground.training.modules_not_training());
  const int64_t batches = ground.batches > 0 ? std::min(ground.batches, loader.batches()) : loader.batches();
  loader.begin(ground.epoch, 0);
  for (int64_t index = 0; index < batches; ++index) {
    const Batch batch = loader.next();
    context.enter_step(nowhere, batch.size(), /*logs_per_step=*/true);
    ground.training_step(batch, index);
    nowhere.reset();
  }
}

}  // namespace

void run_forward_epoch(const TrialGround& ground) {
  Module& module = ground.training.module();
  const auto loader = loader_beside(ground, "forward_train_batches");
  const auto generators = rng_states(module);
  const auto eval_modes = modules_in_eval_mode(module);
  const auto put_back = [&] {
    restore_rng(module, generators);
    set_modules_in_eval_mode(module, eval_modes);
  };
  try {
    run_forward_batches(ground, *loader);
  } catch (...) {
    put_back();
    throw;
  }
  put_back();
}

TrialResult run_trial(const TrialGround& ground, const TrialOptions& options) {
  Undo undo(ground.training);
  try {
    TrialResult result = make_steps(ground, options);
    undo.put_back();
    return result;
  } catch (...) {
    undo.put_back();
    throw;
  }
}

}  // namespace troupe
