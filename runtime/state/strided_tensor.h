#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/state/tensor_file.h"

namespace troupe {

/// A tensor as a view of a storage: element (i, j, ...) is the storage's at offset + i * strides[0] + j * strides[1] +
/// ...
struct StridedTensor {
  std::string name;
  v1::DType dtype = v1::DTYPE_UNSPECIFIED;
  ByteView storage;
  int64_t offset = 0;  ///< In elements, as the strides.
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

/// All tensors of a file together may have so many times the bytes of the file: each storage can be shown by as many
/// tensors of its size. A layer that a model repeats is there once under each of its names; this is more than any has.
inline constexpr uint64_t kSharedBytesFactor = 64;

/// Most tensors of a file: a name more costs a file ten bytes, and memory two kilobytes.
inline constexpr size_t kTensorsMax = 500'000;

/// The tensors of one file, some of which may share storages. add() throws CorruptionError, without the name of a file,
/// for a tensor that reaches beyond its storage, has more elements than that (an expanded tensor), or has a name that
/// is there already, and where they would get too many (kTensorsMax) or too large: all together (kSharedBytesFactor),
/// or those that are gathered.
class StridedTensors {
 public:
  explicit StridedTensors(uint64_t file_bytes) : file_bytes_(file_bytes) {}

  /// As a view where the tensor lies contiguous, otherwise gathered into memory. All gathered buffers, which are whole
  /// cache lines of 64 bytes, have no more bytes than the file; the allocator may need as many again.
  void add(const StridedTensor& tensor);
  FoundTensors take() { return std::move(found_); }

 private:
  ByteView gathered(const StridedTensor& tensor, uint64_t bytes);

  uint64_t file_bytes_;
  uint64_t tensor_bytes_ = 0;
  uint64_t gathered_bytes_ = 0;
  std::set<std::string> names_;
  FoundTensors found_;
};

/// The strides of a tensor that lies contiguous, row-major.
std::vector<int64_t> contiguous_strides(std::span<const int64_t> shape);

}  // namespace troupe
