#include "troupe/callbacks/averaging/averaged_weights.h"

#include <torch/torch.h>

#include <cassert>
#include <utility>

#include "troupe/runtime/module/tensor_state.h"

namespace troupe {

bool AveragedWeights::bind(const torch::nn::Module& module) {
  const bool loaded = std::exchange(loaded_, false);
  if (!loaded) {
    updates_ = 0;
    swapped_ = false;
    kept_.clear();
  }
  live_ = named_state(module);
  parameters_ = module.named_parameters().size();
  if (!kept_.empty()) {
    require_matching_module(module, kept_);
    std::vector<NamedTensor> ordered;
    for (const auto& named : live_) {
      ordered.push_back({named.name, find_tensor(kept_, named.name)->to(named.tensor.device())});
    }
    kept_ = std::move(ordered);
  }
  return loaded;
}

void AveragedWeights::update(bool use_buffers, const Combine& combine) {
  assert(!swapped_);
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    const at::Tensor value = live_[i].tensor.detach();
    if (updates_ == 0) {
      kept_.push_back({live_[i].name, value.clone()});
    } else if (value.is_floating_point() && (use_buffers || i < parameters_)) {
      combine(kept_[i].tensor, value, updates_);
    } else {
      kept_[i].tensor.copy_(value);
    }
  }
  ++updates_;
}

void AveragedWeights::swap() {
  assert(updates_ > 0);
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    const at::Tensor own = live_[i].tensor.detach().clone();
    live_[i].tensor.copy_(kept_[i].tensor);
    kept_[i].tensor.copy_(own);
  }
  swapped_ = !swapped_;
}

StateDict AveragedWeights::state_dict() const {
  StateDict state;
  state.set("updates", updates_);
  state.set("swapped", swapped_);
  set_tensors(state, "tensors", kept_);
  return state;
}

void AveragedWeights::load_state_dict(const StateDict& state) {
  updates_ = state.get_int("updates");
  swapped_ = state.get_bool("swapped");
  kept_ = get_tensors(state, "tensors");
  loaded_ = true;
}

}  // namespace troupe
