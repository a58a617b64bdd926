#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace troupe {

/// Seeds the default generators: the CPU's, and every CUDA device's where there is one. What draws from them afterwards
/// (weight initialisation, dropout) is then a function of the seed. Any thread, but nothing may draw meanwhile.
void seed_everything(uint64_t seed);

/// State of the default generator of the CPU, or of a CUDA device: a uint8 tensor on the CPU (about 5 KB; 16 bytes), a
/// copy. Any thread.
at::Tensor default_rng_state(at::Device device = at::kCPU);
/// Puts back what default_rng_state() gave. Throws MismatchError if `state` is not a state of this device's generator.
void set_default_rng_state(const at::Tensor& state, at::Device device = at::kCPU);

}  // namespace troupe
