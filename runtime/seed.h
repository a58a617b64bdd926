#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace troupe {

/// Seeds the default generators: the CPU's, and every CUDA device's where there is one. What draws from them afterwards
/// (weight initialisation, dropout) is then a function of the seed. Any thread, but nothing may draw meanwhile.
void seed_everything(uint64_t seed);

/// State of the default CPU generator: a uint8 tensor of about 5 KB, a copy. Any thread.
at::Tensor default_rng_state();
/// Puts back what default_rng_state() gave. Throws MismatchError if `state` is not a generator state of this LibTorch.
void set_default_rng_state(const at::Tensor& state);

}  // namespace troupe
