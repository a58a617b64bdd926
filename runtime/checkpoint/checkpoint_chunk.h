#pragma once

#include <array>
#include <cstdint>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// A CheckpointRecord that holds a TensorChunk, encoded and decoded by hand so that the data is not copied. The bytes
/// are those that protobuf itself writes.
struct ChunkView {
  uint32_t tensor = 0;
  uint64_t offset = 0;
  ByteView data;
};

/// What precedes the data in the encoded record.
class ChunkHead {
 public:
  explicit ChunkHead(const ChunkView& chunk);
  ByteView bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, 40> bytes_;
  size_t size_;
};

/// True, with `chunk` viewing into `record`, if the record is a chunk as ChunkHead writes it; false for every other
/// record.
bool decode_chunk(ByteView record, ChunkView& chunk);

}  // namespace troupe
