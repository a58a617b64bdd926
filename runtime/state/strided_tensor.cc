#include "troupe/runtime/state/strided_tensor.h"

#include <algorithm>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"

namespace troupe {
namespace {

constexpr uint64_t kBufferAlignment = 64;  // Of a TensorBuffer's size too.

[[noreturn]] void fail(const StridedTensor& tensor, const std::string& what) {
  throw CorruptionError("tensor '" + printable(tensor.name) + "' " + what);
}

bool is_contiguous(const StridedTensor& tensor) {
  const auto wanted = contiguous_strides(tensor.shape);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != wanted[i]) {
      return false;
    }
  }
  return true;
}

/// Bytes of the tensor, of which every element lies in the storage.
uint64_t checked_bytes(const StridedTensor& tensor) {
  const size_t element_bytes = dtype_bytes(tensor.dtype);
  const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (element_bytes == 0 || !bytes || tensor.shape.size() != tensor.strides.size()) {
    fail(tensor, "has the shape " + shape_text(tensor.shape) + " and the strides " + shape_text(tensor.strides) +
                     ", which do not fit each other or cannot be counted");
  }
  if (*bytes == 0) {
    return 0;
  }
  const uint64_t elements = tensor.storage.size() / element_bytes;
  int64_t last = tensor.offset;
  bool sound = last >= 0;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t reach = 0;
    sound = sound && tensor.strides[i] >= 0 &&
            !__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) &&
            !__builtin_add_overflow(last, reach, &last);
  }
  if (!sound || static_cast<uint64_t>(last) >= elements) {
    fail(tensor, "of shape " + shape_text(tensor.shape) + " and strides " + shape_text(tensor.strides) +
                     " reaches beyond its storage of " + std::to_string(elements) + " elements");
  }
  if (*bytes > tensor.storage.size()) {
    fail(tensor, "of shape " + shape_text(tensor.shape) +
                     " has more elements than its storage: an expanded tensor; save a clone() of it");
  }
  return *bytes;
}

/// Copies the elements in row-major order.
void gather(const StridedTensor& tensor, TensorBuffer& into) {
  const size_t size = dtype_bytes(tensor.dtype);
  std::vector<int64_t> index(tensor.shape.size(), 0);
  int64_t element = tensor.offset;
  for (std::byte* at = into.data(); at != into.data() + into.size(); at += size) {
    const ByteView from = tensor.storage.subspan(static_cast<size_t>(element) * size, size);
    std::copy(from.begin(), from.end(), at);
    for (size_t i = index.size(); i-- > 0;) {
      element += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) {
        break;
      }
      element -= tensor.shape[i] * tensor.strides[i];
      index[i] = 0;
    }
  }
}

}  // namespace

std::vector<int64_t> contiguous_strides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    // Overflows only where another extent is 0, and no element has a place.
    (void)__builtin_mul_overflow(strides[i], std::max<int64_t>(shape[i], 1), &strides[i - 1]);
  }
  return strides;
}

void StridedTensors::add(const StridedTensor& tensor) {
  if (!names_.insert(tensor.name).second) {
    fail(tensor, "is there twice");
  }
  if (names_.size() > kTensorsMax) {
    fail(tensor, "is one too many; at most " + std::to_string(kTensorsMax) + " are allowed");
  }
  const uint64_t bytes = checked_bytes(tensor);
  tensor_bytes_ += bytes;
  if (tensor_bytes_ / kSharedBytesFactor > file_bytes_) {
    fail(tensor, "shares its storage with so many others that all have more than " +
                     std::to_string(kSharedBytesFactor) + " times the bytes of the file, which is not allowed");
  }
  TensorView view{tensor.name, tensor.dtype, tensor.shape, {}};
  if (bytes != 0) {
    view.bytes = is_contiguous(tensor)
                     ? tensor.storage.subspan(static_cast<size_t>(tensor.offset) * dtype_bytes(tensor.dtype), bytes)
                     : gathered(tensor, bytes);
  }
  found_.tensors.push_back(std::move(view));
}

ByteView StridedTensors::gathered(const StridedTensor& tensor, uint64_t bytes) {
  gathered_bytes_ += (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  if (gathered_bytes_ > file_bytes_) {
    fail(tensor, "is not contiguous, and all that are not have more bytes than the file: save contiguous() tensors");
  }
  gather(tensor, found_.gathered.emplace_back(bytes));
  return found_.gathered.back().view();
}

}  // namespace troupe
