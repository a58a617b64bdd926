#include "troupe/runtime/file/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace troupe {
namespace {

constexpr size_t kStepBytesMax = 1U << 30;  // ISA-L takes the length as an int.

}  // namespace

uint32_t crc32c(ByteView bytes, uint32_t previous) {
  uint32_t state = ~previous;
  while (!bytes.empty()) {
    const ByteView step = bytes.first(std::min(bytes.size(), kStepBytesMax));
    // ISA-L's signature lacks const; it only reads.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(step.data()));
    state = crc32_iscsi(data, static_cast<int>(step.size()), state);
    bytes = bytes.subspan(step.size());
  }
  return ~state;
}

}  // namespace troupe
