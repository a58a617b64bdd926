// The loop's side of backward passes, and of manual optimisation. The loop itself is fit_loop.cc.
#include <torch/torch.h>

#include <exception>
#include <set>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/loop/fit_loop.h"

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

void FitLoop::backward(const at::Tensor& loss) {
  module_.on_before_backward(loss);
  emitter_.publish_transient<BackwardStarted>();
  run_backward(loss);
  module_.on_after_backward();
  emitter_.publish_transient<BackwardEnded>();
}

void FitLoop::run_backward(const at::Tensor& loss) {
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

torch::optim::Optimizer& FitLoop::optimizer(int64_t optimizer) {
  return training_.optimizer(static_cast<size_t>(optimizer));
}

void FitLoop::toggle(int64_t optimizer) {
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

void FitLoop::untoggle() {
  for (auto& parameter : toggled_off_) {
    parameter.set_requires_grad(true);
  }
  toggled_off_.clear();
}

}  // namespace troupe
