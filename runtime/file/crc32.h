#pragma once

#include <cstdint>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// CRC-32 as zip and gzip have it (ISO 3309), going on from `previous`: crc32(b, crc32(a)) is that of a followed by b.
uint32_t crc32(ByteView bytes, uint32_t previous = 0);

}  // namespace troupe
