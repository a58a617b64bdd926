#include "troupe/runtime/checkpoint/checkpoint_chunk.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <troupe/v1/checkpoint.pb.h>

namespace troupe {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t kChunkTag =
    WireFormatLite::MakeTag(v1::CheckpointRecord::kChunkFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr uint32_t kTensorTag =
    WireFormatLite::MakeTag(v1::TensorChunk::kTensorFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kOffsetTag =
    WireFormatLite::MakeTag(v1::TensorChunk::kOffsetFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kDataTag =
    WireFormatLite::MakeTag(v1::TensorChunk::kDataFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

/// A varint field as proto3 has it: left out while zero.
uint8_t* write_field(uint32_t tag, uint64_t value, uint8_t* at) {
  if (value == 0) {
    return at;
  }
  return CodedOutputStream::WriteVarint64ToArray(value, CodedOutputStream::WriteTagToArray(tag, at));
}

bool read_field(CodedInputStream& in, uint32_t tag, uint32_t& next_tag, uint64_t& value) {
  if (next_tag != tag) {
    return true;
  }
  const bool read = in.ReadVarint64(&value);
  next_tag = in.ReadTag();
  return read;
}

}  // namespace

ChunkHead::ChunkHead(const ChunkView& chunk) {
  std::array<uint8_t, 32> fields;
  uint8_t* end = write_field(kTensorTag, chunk.tensor, fields.data());
  end = write_field(kOffsetTag, chunk.offset, end);
  end = write_field(kDataTag, chunk.data.size(), end);
  const auto fields_bytes = static_cast<size_t>(end - fields.data());
  auto* head = reinterpret_cast<uint8_t*>(bytes_.data());
  uint8_t* at = CodedOutputStream::WriteTagToArray(kChunkTag, head);
  at = CodedOutputStream::WriteVarint64ToArray(fields_bytes + chunk.data.size(), at);
  std::memcpy(at, fields.data(), fields_bytes);
  size_ = static_cast<size_t>(at - head) + fields_bytes;
}

bool decode_chunk(ByteView record, ChunkView& chunk) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(record.data()), static_cast<int>(record.size()));
  uint64_t size = 0;
  if (in.ReadTag() != kChunkTag || !in.ReadVarint64(&size) ||
      size != record.size() - static_cast<size_t>(in.CurrentPosition())) {
    return false;
  }
  uint64_t tensor = 0;
  uint64_t offset = 0;
  uint32_t tag = in.ReadTag();
  if (!read_field(in, kTensorTag, tag, tensor) || !read_field(in, kOffsetTag, tag, offset) || tag != kDataTag ||
      !in.ReadVarint64(&size) || size != record.size() - static_cast<size_t>(in.CurrentPosition())) {
    return false;
  }
  chunk = {static_cast<uint32_t>(tensor), offset, record.last(size)};
  return tensor <= UINT32_MAX;
}

}  // namespace troupe
