#pragma once

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
