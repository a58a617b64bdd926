#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstddef>
#include <string_view>

namespace troupe {

/// Bytes of one element; 0 for a type that the schema of this version does not know.
size_t dtype_bytes(v1::DType dtype);

/// What one element type is called elsewhere.
struct DTypeNames {
  v1::DType dtype;
  std::string_view name;         ///< LibTorch's: "float32".
  std::string_view safetensors;  ///< "F32".
  std::string_view storage;      ///< torch.save's class of storages, in the Python module torch: "FloatStorage".
  std::string_view numpy;        ///< Of NPY files, little endian: "<f4". Empty: NumPy has no such type.
};

/// Throws CorruptionError for a type that the format of this version does not have.
const DTypeNames& dtype_names(v1::DType dtype);

/// The type whose `field` (a member of DTypeNames) is `name`; DTYPE_UNSPECIFIED if there is none.
v1::DType find_dtype(std::string_view DTypeNames::*field, std::string_view name);

}  // namespace troupe
