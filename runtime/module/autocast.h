#pragma once

#include <ATen/ATen.h>

#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// Computes in the given precision, on this thread, as long as it lives: with kBf16Mixed LibTorch's autocast for a type
/// of device, the CPU or CUDA, is on. Around forward passes only; gradients follow the types that the forward pass
/// used.
class AutocastGuard {
 public:
  AutocastGuard(Precision precision, at::DeviceType device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool casts_;
  at::DeviceType device_;
  bool was_enabled_ = false;
  at::ScalarType dtype_before_ = at::kBFloat16;
};

}  // namespace troupe
