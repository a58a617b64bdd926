#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <troupe/v1/checkpoint.pb.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/module/device_copies.h"

namespace troupe {

/// A tensor as a checkpoint keeps it.
struct NamedTensor {
  std::string name;   ///< As in v1::TensorInfo.
  at::Tensor tensor;  ///< On the CPU, contiguous, without a graph, shared with nobody who writes.
};

class TensorCopies;

/// A copy of everything that the training thread owns and the future depends on. Whoever holds it only reads the
/// tensors; the training thread fills it anew when nobody does any more.
struct Snapshot {
  std::vector<NamedTensor> tensors;
  /// Memory for tensors that it held before; not part of the copy. It is kept for good: the gradients of a window that
  /// a checkpoint was taken in stay there as long as the fit.
  std::vector<NamedTensor> spare;
  v1::TrainingState state;
  Position position;
  uint64_t elapsed_us = 0;
  /// What comes from other devices may still be on its way: wait() before the tensors are read.
  DeviceCopies device_copies;
};

/// The tensor of this name, or nullptr.
const at::Tensor* find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name);

/// Parameters and buffers as "module.<name>", in registration order: the live ones, not copies.
std::vector<NamedTensor> named_state(const torch::nn::Module& module);

/// Copies parameters and buffers as "module.<name>", in registration order.
void capture_module(const torch::nn::Module& module, TensorCopies& copies);

/// Throws MismatchError, with the list of missing, unexpected and mismatched names, unless restore_module would work.
void require_matching_module(const torch::nn::Module& module, const std::vector<NamedTensor>& tensors);

/// Copies "module.<name>" into the module's parameters and buffers, in place. Throws as require_matching_module does,
/// before anything is changed.
void restore_module(torch::nn::Module& module, const std::vector<NamedTensor>& tensors);

/// Copies the gradients of an open accumulation window as "gradient.<parameter>".
void capture_gradients(const torch::nn::Module& module, TensorCopies& copies);
/// Puts them back; parameters that have none in `tensors` get none.
void restore_gradients(torch::nn::Module& module, const std::vector<NamedTensor>& tensors);

/// The states of the default generators that a module draws from: the CPU's, as "rng.cpu", and those of the CUDA
/// devices that hold it, as "rng.cuda:0". Copies, on the CPU.
std::vector<NamedTensor> rng_states(const torch::nn::Module& module);
/// Puts back those of `states` that rng_states(module) would give; a generator that has none there is left alone. The
/// names begin with `prefix` in place of "rng.". Throws MismatchError when the CPU's is missing.
void restore_rng(const torch::nn::Module& module, const std::vector<NamedTensor>& states,
                 const std::string& prefix = "rng.");

}  // namespace troupe
