#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <c10/util/C++17.h>
#include <torch/version.h>

#include <string>

/// True where the headers are of LibTorch major.minor or newer. Differences between versions live in this file alone.
#define TROUPE_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace troupe {

/// The key of a parameter's entry in torch::optim::Optimizer::state(): its TensorImpl's address, as text before
/// LibTorch 2.0.
#if TROUPE_TORCH_AT_LEAST(2, 0)
inline void* optimizer_state_key(const at::Tensor& parameter) {
  return parameter.unsafeGetTensorImpl();
}
#else
inline std::string optimizer_state_key(const at::Tensor& parameter) {
  return c10::guts::to_string(parameter.unsafeGetTensorImpl());
}
#endif

// Autocast of one type of device, on this thread: the CPU or CUDA.
#if TROUPE_TORCH_AT_LEAST(2, 4)
inline bool is_autocast_enabled(at::DeviceType device) {
  return at::autocast::is_autocast_enabled(device);
}
inline at::ScalarType autocast_dtype(at::DeviceType device) {
  return at::autocast::get_autocast_dtype(device);
}
inline void set_autocast(at::DeviceType device, bool enabled, at::ScalarType dtype) {
  at::autocast::set_autocast_dtype(device, dtype);
  at::autocast::set_autocast_enabled(device, enabled);
}
#else
inline bool is_autocast_enabled(at::DeviceType device) {
  return device == at::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
inline at::ScalarType autocast_dtype(at::DeviceType device) {
  return device == at::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
inline void set_autocast(at::DeviceType device, bool enabled, at::ScalarType dtype) {
  if (device == at::kCPU) {
    at::autocast::set_autocast_cpu_dtype(dtype);
    at::autocast::set_cpu_enabled(enabled);
  } else {
    at::autocast::set_autocast_gpu_dtype(dtype);
    at::autocast::set_enabled(enabled);
  }
}
#endif

/// Drops the gradients of `parameters` (a range of at::Tensor), as zero_grad(set_to_none=True) does.
/// Optimizer::zero_grad() only learned that in LibTorch 2.0.
template <class Parameters>
void zero_grad_to_none(Parameters&& parameters) {
  for (auto&& parameter : parameters) {
    if (parameter.defined()) {
      parameter.mutable_grad().reset();
    }
  }
}

}  // namespace troupe
