#pragma once

#include <cstdint>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// CRC32C (Castagnoli) of `bytes`, going on from `previous`: crc32c(b, crc32c(a)) is that of a followed by b.
uint32_t crc32c(ByteView bytes, uint32_t previous = 0);

/// A checksum as TFRecord stores it: rotated right by 15 and offset, so that a CRC over bytes that hold CRCs stays
/// useful.
constexpr uint32_t mask_crc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace troupe
