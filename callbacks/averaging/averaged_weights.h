#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "troupe/runtime/module/snapshot.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// A second set of a module's parameters and buffers: their average over a training, which can change places with the
/// module's own. Nothing is kept before the first update. For one thread at a time; the hooks of a callback are.
class AveragedWeights {
 public:
  /// Takes a new value into an average in place, both of a floating-point type. `updates`: how many the average holds.
  using Combine = std::function<void(at::Tensor& average, const at::Tensor& value, int64_t updates)>;

  /// Works on this module from here on, and on no other one any more, with the average that load_state_dict() has given
  /// since the last time; without one it begins anew. Whether there was one. The module must keep its tensors. Throws
  /// MismatchError when the average is of another model.
  bool bind(const torch::nn::Module& module);

  /// How many times the average has been updated.
  int64_t updates() const { return updates_; }
  /// Whether the module holds the average now, and this the module's own weights.
  bool swapped() const { return swapped_; }

  /// Takes in the module's weights as they are; not while swapped. The first time they become the average. Parameters
  /// are combined, buffers too if `use_buffers`; otherwise, and where they are of an integer type, the average has the
  /// module's latest. That is what torch.optim.swa_utils.AveragedModel does, but for integers, which it averages too.
  void update(bool use_buffers, const Combine& combine);
  /// The module's weights and the average change places, bit for bit. Needs an update before.
  void swap();

  /// The average bit for bit, as NamedTensors "module.<name>" in the order of named_state(), or the module's own
  /// weights while swapped.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  int64_t updates_ = 0;
  bool swapped_ = false;
  bool loaded_ = false;            // Since the last bind().
  std::vector<NamedTensor> kept_;  // Empty without updates. In the order of live_, once bound.
  std::vector<NamedTensor> live_;  // The module's own: parameters, then buffers.
  size_t parameters_ = 0;
};

}  // namespace troupe
