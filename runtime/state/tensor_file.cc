#include "troupe/runtime/state/tensor_file.h"

#include <algorithm>

namespace troupe {

std::optional<uint64_t> array_bytes(size_t element_bytes, std::span<const int64_t> shape) {
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  uint64_t bytes = empty ? 0 : element_bytes;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (const int64_t extent : shape) {
    text.append(text.size() == 1 ? "" : ", ").append(std::to_string(extent));
  }
  return text.append("]");
}

}  // namespace troupe
