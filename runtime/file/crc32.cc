#include "troupe/runtime/file/crc32.h"

#include <isa-l/crc.h>

namespace troupe {

uint32_t crc32(ByteView bytes, uint32_t previous) {
  return crc32_gzip_refl(previous, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace troupe
