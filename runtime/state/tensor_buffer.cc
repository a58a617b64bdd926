#include "troupe/runtime/state/tensor_buffer.h"

#include <algorithm>
#include <new>

namespace troupe {
namespace {

constexpr size_t kTensorAlignment = 64;

}  // namespace

TensorBuffer::TensorBuffer(size_t bytes) : size_(bytes) {
  const size_t rounded = std::max<size_t>(1, (bytes + kTensorAlignment - 1) / kTensorAlignment) * kTensorAlignment;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(kTensorAlignment, rounded)));
  if (data_ == nullptr) {
    throw std::bad_alloc();
  }
}

}  // namespace troupe
