#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/tensor_buffer.h"
#include "troupe/runtime/state/tensor_view.h"

namespace troupe {

/// Writes tensors, all of them known beforehand, to a file of some format, piece by piece.
class TensorFileWriter {
 public:
  virtual ~TensorFileWriter() = default;

  /// The next piece of the tensor at `index`; `offset` counts from its start. The pieces of a tensor come in order,
  /// those of several may alternate. Throws IoError.
  virtual void write(size_t index, uint64_t offset, ByteView data) = 0;

  /// After all pieces. Throws IoError.
  virtual void finish() = 0;
};

/// The tensors that were found in a file: in its order, or where the file has a table of them by name in that order.
struct FoundTensors {
  std::vector<TensorView> tensors;
  std::vector<TensorBuffer> gathered;  ///< Of those that lie scattered in the file; the others are views into it.
};

/// Most dimensions of a tensor that is read from another program's file: as many as PyTorch and NumPy take.
inline constexpr size_t kDimensionsMax = 64;

/// product(shape) * element_bytes, if it can be counted and no extent is negative.
std::optional<uint64_t> array_bytes(size_t element_bytes, std::span<const int64_t> shape);

inline std::optional<uint64_t> tensor_bytes(v1::DType dtype, std::span<const int64_t> shape) {
  return array_bytes(dtype_bytes(dtype), shape);
}

inline std::vector<int64_t> shape_of(const v1::TensorInfo& info) {
  return {info.shape().begin(), info.shape().end()};
}

/// "[2, 3]".
std::string shape_text(std::span<const int64_t> shape);

}  // namespace troupe
