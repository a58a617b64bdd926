#include "troupe/runtime/state/dtype.h"

#include <array>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr std::array<DTypeNames, 10> kTypes{{{v1::DTYPE_FLOAT32, "float32", "F32", "FloatStorage", "<f4"},
                                             {v1::DTYPE_FLOAT64, "float64", "F64", "DoubleStorage", "<f8"},
                                             {v1::DTYPE_FLOAT16, "float16", "F16", "HalfStorage", "<f2"},
                                             {v1::DTYPE_BFLOAT16, "bfloat16", "BF16", "BFloat16Storage", ""},
                                             {v1::DTYPE_INT64, "int64", "I64", "LongStorage", "<i8"},
                                             {v1::DTYPE_INT32, "int32", "I32", "IntStorage", "<i4"},
                                             {v1::DTYPE_INT16, "int16", "I16", "ShortStorage", "<i2"},
                                             {v1::DTYPE_INT8, "int8", "I8", "CharStorage", "|i1"},
                                             {v1::DTYPE_UINT8, "uint8", "U8", "ByteStorage", "|u1"},
                                             {v1::DTYPE_BOOL, "bool", "BOOL", "BoolStorage", "|b1"}}};

}  // namespace

size_t dtype_bytes(v1::DType dtype) {
  switch (dtype) {
    case v1::DTYPE_FLOAT64:
    case v1::DTYPE_INT64:
      return 8;
    case v1::DTYPE_FLOAT32:
    case v1::DTYPE_INT32:
      return 4;
    case v1::DTYPE_FLOAT16:
    case v1::DTYPE_BFLOAT16:
    case v1::DTYPE_INT16:
      return 2;
    case v1::DTYPE_INT8:
    case v1::DTYPE_UINT8:
    case v1::DTYPE_BOOL:
      return 1;
    default:
      return 0;
  }
}

const DTypeNames& dtype_names(v1::DType dtype) {
  for (const auto& names : kTypes) {
    if (names.dtype == dtype) {
      return names;
    }
  }
  throw CorruptionError("checkpoint: dtype " + std::to_string(dtype) + " is not in the format");
}

v1::DType find_dtype(std::string_view DTypeNames::*field, std::string_view name) {
  for (const auto& names : kTypes) {
    if (!name.empty() && names.*field == name) {
      return names.dtype;
    }
  }
  return v1::DTYPE_UNSPECIFIED;
}

}  // namespace troupe
