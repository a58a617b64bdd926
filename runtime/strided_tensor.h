#pragma once

#include <string>
#include <vector>

#include "runtime/tensor_file.h"

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

/// Adds the tensor to what was found: as a view where it lies contiguous, otherwise gathered into memory. Throws
/// CorruptionError, without the name of a file, if it reaches beyond its storage, has more elements than that (an
/// expanded tensor), or if what is gathered would get larger than `gathered_bytes_max`.
void add_strided(const StridedTensor& tensor, uint64_t gathered_bytes_max, FoundTensors& found);

/// The strides of a tensor that lies contiguous, row-major.
std::vector<int64_t> contiguous_strides(std::span<const int64_t> shape);

}  // namespace troupe
