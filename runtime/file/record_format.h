#pragma once

#include <cstddef>
#include <cstdint>

#include "troupe/runtime/file/crc32c.h"

namespace troupe {

// TFRecord framing: length (8 bytes), masked CRC32C of the length (4), the record, masked CRC32C of the record (4).
inline constexpr size_t kFrameHeadBytes = 12;
inline constexpr size_t kFrameTailBytes = 4;
inline constexpr size_t kFrameBytes = kFrameHeadBytes + kFrameTailBytes;

/// Protobuf's limit for one message, and so for one record.
inline constexpr uint64_t kRecordBytesMax = 0x7fffffff;

inline void store_frame_head(std::byte* at, uint64_t record_bytes) {
  store_integer(at, record_bytes);
  store_integer(at + sizeof record_bytes, mask_crc(crc32c({at, sizeof record_bytes})));
}

}  // namespace troupe
