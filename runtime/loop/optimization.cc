#include "troupe/runtime/loop/optimization.h"

#include <torch/torch.h>

#include <exception>
#include <set>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/module/autocast.h"

namespace troupe {

void require_options_for(const Training& training, const TrainerOptions& options) {
  if (training.automatic()) {
    return;
  }
  const auto refuse = [](const char* option) {
    throw ConfigError(std::string("trainer: '") + option +
                      "' is for automatic optimisation, but the module optimises manually: leave it out, and do it in "
                      "training_step");
  };
  if (options.gradient_clip_val) {
    refuse("gradient_clip_val");
  }
  if (options.accumulate_grad_batches != 1) {
    refuse("accumulate_grad_batches");
  }
}

at::Tensor Optimization::training_step(const Batch& batch, int64_t index) {
  const AutocastGuard autocast(options_.precision, module_.device().type());
  if (training_.automatic()) {
    return module_.training_step(batch, index);
  }
  struct Untoggle {
    Optimization& optimization;
    ~Untoggle() { optimization.untoggle(); }
  } const untoggle_at_the_end{*this};
  context_.set_manual_optimization(this);
  at::Tensor loss = module_.training_step(batch, index);
  context_.set_manual_optimization(nullptr);
  return loss;
}

void Optimization::drop_gradients() {
  module_.on_before_zero_grad();
  emitter_.publish_transient<ZeroGradStarted>();
  training_.zero_grad();
}

void Optimization::backward(const at::Tensor& loss) {
  module_.on_before_backward(loss);
  emitter_.publish_transient<BackwardStarted>();
  run_backward(loss);
  module_.on_after_backward();
  emitter_.publish_transient<BackwardEnded>();
}

void Optimization::run_backward(const at::Tensor& loss) {
  // A manual one is called inside the step, where autocast may be on: it is for forward passes.
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!options_.detect_anomaly) {
    loss.backward();
    return;
  }
  try {
    loss.backward();
  } catch (...) {
    const auto& position = emitter_.position();
    std::throw_with_nested(Error("detect_anomaly: the backward pass of batch " +
                                 std::to_string(position.batch_index()) + " of epoch " +
                                 std::to_string(position.epoch()) + " (optimizer step " +
                                 std::to_string(position.global_step()) + "): " + current_exception_text()));
  }
}

void Optimization::step(int64_t optimizer) {
  module_.on_before_optimizer_step();
  OptimizerStepStarted started;
  started.set_optimizer(static_cast<uint32_t>(optimizer));
  emitter_.publish_transient(std::move(started));
  if (training_.automatic()) {
    module_.configure_gradient_clipping(options_.gradient_clip_val, options_.gradient_clip_algorithm);
  }
  training_.optimizer_step(static_cast<size_t>(optimizer));
  training_.loop().set_global_step(training_.loop().global_step() + 1);
  emitter_.position().set_global_step(training_.loop().global_step());
  context_.set_position(emitter_.position());
}

TrialGround Optimization::trial_ground(const DataLoader& loader) {
  TrialGround ground{.training = training_, .loader = loader};
  ground.training_step = [this](const Batch& batch, int64_t index) {
    return training_step(module_.transfer_batch(batch), index);
  };
  ground.zero_grad = [this] {
    module_.on_before_zero_grad();
    training_.zero_grad();
  };
  ground.backward = [this](const at::Tensor& loss) {
    module_.on_before_backward(loss);
    run_backward(loss);
    module_.on_after_backward();
  };
  ground.step = [this] {
    module_.on_before_optimizer_step();
    module_.configure_gradient_clipping(options_.gradient_clip_val, options_.gradient_clip_algorithm);
    module_.optimizer_step(training_.optimizer());
  };
  return ground;
}

torch::optim::Optimizer& Optimization::optimizer(int64_t optimizer) {
  return training_.optimizer(static_cast<size_t>(optimizer));
}

void Optimization::toggle(int64_t optimizer) {
  untoggle();
  std::set<const c10::TensorImpl*> kept;
  for (const auto& group : this->optimizer(optimizer).param_groups()) {
    for (const auto& parameter : group.params()) {
      kept.insert(parameter.unsafeGetTensorImpl());
    }
  }
  for (int64_t other = 0; other < optimizers(); ++other) {
    for (const auto& group : this->optimizer(other).param_groups()) {
      for (at::Tensor parameter : group.params()) {
        if (!kept.contains(parameter.unsafeGetTensorImpl()) && parameter.requires_grad()) {
          parameter.set_requires_grad(false);
          toggled_off_.push_back(parameter);
        }
      }
    }
  }
}

void Optimization::untoggle() {
  for (auto& parameter : toggled_off_) {
    parameter.set_requires_grad(true);
  }
  toggled_off_.clear();
}

}  // namespace troupe
