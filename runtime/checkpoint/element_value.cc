#include "troupe/runtime/checkpoint/element_value.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
double half_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  double value = 0;
  if (exponent == 0x1f) {
    value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(fraction | 0x400, exponent - 25);
  }
  return (bits & 0x8000U) != 0 ? -value : value;
}

/// bfloat16 is the upper half of a float32.
double bfloat16_value(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16U);
}

}  // namespace

double element_value(v1::DType dtype, const std::byte* at) {
  switch (dtype) {
    case v1::DTYPE_FLOAT32:
      return load_integer<float>(at);
    case v1::DTYPE_FLOAT64:
      return load_integer<double>(at);
    case v1::DTYPE_FLOAT16:
      return half_value(load_integer<uint16_t>(at));
    case v1::DTYPE_BFLOAT16:
      return bfloat16_value(load_integer<uint16_t>(at));
    case v1::DTYPE_INT64:
      return static_cast<double>(load_integer<int64_t>(at));
    case v1::DTYPE_INT32:
      return load_integer<int32_t>(at);
    case v1::DTYPE_INT16:
      return load_integer<int16_t>(at);
    case v1::DTYPE_INT8:
      return load_integer<int8_t>(at);
    case v1::DTYPE_UINT8:
    case v1::DTYPE_BOOL:
      return load_integer<uint8_t>(at);
    default:
      throw CorruptionError("checkpoint: dtype " + std::to_string(dtype) + " is not in the format");
  }
}

}  // namespace troupe
