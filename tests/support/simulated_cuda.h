#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>

/// Two CUDA devices for a LibTorch that was built without CUDA: a program that is linked with simulated_cuda.cc has
/// them. Their memory is the host's, and their kernels are the CPU's, run where they are launched. What is simulated is
/// what hardware would punish:
/// - Streams are threads. A copy to pinned memory that is asked not to block goes on behind, in the order of its
/// stream,
///   and takes its time (set_copy_time). Events order streams; everything else waits for its stream first.
/// - Memory that is freed while the default stream has work to do is freed when that is done, as the caching allocator
///   does it; pinned memory is freed at once, so whoever frees it too early is caught by AddressSanitizer.
/// - Each device has a generator of its own, and dropout draws from it.
/// Convolutions and other operations that CUDA implements apart are missing.
namespace troupe::simulated_cuda {

/// How long each copy that goes on behind takes from now on; 0 at first.
void set_copy_time(std::chrono::microseconds time);
/// Copies that have gone on behind.
int64_t copies_behind();
/// A kernel that takes its time: fills the tensor, in the order of its device's current stream.
void fill_slowly(const at::Tensor& tensor, double value, std::chrono::microseconds time);

}  // namespace troupe::simulated_cuda
