#pragma once

#include <exception>

namespace troupe {

/// Whether an exception, or one that is nested in it, says that memory ran out: std::bad_alloc, c10::OutOfMemoryError
/// (CUDA's allocator in LibTorch 2), or a text by which LibTorch says so in a plain c10::Error: its CPU allocator,
/// CUDA's in LibTorch 1.13, cuBLAS, and the CUDA driver.
bool is_out_of_memory(const std::exception_ptr& error);

}  // namespace troupe
