#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {

/// A tensor to write: contiguous, row-major, little endian. `bytes` has product(shape) * dtype_bytes(dtype) bytes and
/// stays unchanged until the file is written.
struct TensorView {
  std::string name;
  v1::DType dtype;
  std::vector<int64_t> shape;
  ByteView bytes;
};

}  // namespace troupe
