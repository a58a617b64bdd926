#include "troupe/runtime/loop/live.h"

#include <torch/torch.h>

#include "troupe/runtime/base/error.h"

namespace troupe {

const Live::Optimizers& Live::optimizers() const {
  if (loan_.optimizers.empty()) {
    throw ConfigError("Live::optimizers: nothing is being trained: validate, test and predict have no optimizers");
  }
  return loan_.optimizers;
}

std::vector<std::pair<std::string, at::Tensor>> Live::gradients() const {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const auto& parameter : loan_.module.named_parameters()) {
    if (parameter.value().grad().defined()) {
      result.emplace_back(parameter.key(), parameter.value().grad());
    }
  }
  return result;
}

std::vector<std::pair<std::string, double>> Live::gradient_norms() const {
  const torch::NoGradGuard no_grad;
  std::vector<std::pair<std::string, double>> result;
  for (const auto& [name, gradient] : gradients()) {
    result.emplace_back(name, gradient.norm().item<double>());
  }
  return result;
}

TrialResult Live::run_trial(const TrialOptions& options) {
  if (!loan_.run_trial) {
    throw ConfigError("Live::run_trial: nothing is being trained: validate, test and predict have no trials");
  }
  return loan_.run_trial(options);
}

void Live::forward_train_batches() {
  if (!loan_.forward_train_batches) {
    throw ConfigError("Live::forward_train_batches: nothing is being trained: validate, test and predict cannot");
  }
  loan_.forward_train_batches();
}

std::vector<v1::Command> run_live_hook(Callback& callback, const Event& event, const RunState& run, Live::Loan loan) {
  Live live(std::move(loan), run, event.elapsed_us());
  callback.live(event, live);
  return live.control().take_commands();
}

}  // namespace troupe
