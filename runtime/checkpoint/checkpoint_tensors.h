#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe {

/// A checkpoint that has been checked as a whole, its small state in memory, and its tensors read from the file piece
/// by piece as they are asked for. For one thread.
class CheckpointTensors {
 public:
  /// Reads all of the file once. Throws as read_checkpoint.
  explicit CheckpointTensors(const std::filesystem::path& path);

  const v1::CheckpointHeader& header() const { return small_.header; }
  /// Everything but the tensors, which are left out.
  const CheckpointData& small_state() const { return small_; }

  /// Fills `into` with the bytes of a tensor from `offset` on, which lie within it. Throws CorruptionError if the file
  /// is no longer what was checked.
  void read(size_t tensor, uint64_t offset, std::span<std::byte> into);

 private:
  struct Chunk {
    uint64_t record;  // Offset of its frame.
    uint64_t begin;   // In the tensor.
  };

  ByteView chunk_at(size_t tensor, uint64_t offset);

  std::filesystem::path path_;
  CheckpointData small_;
  std::vector<std::vector<Chunk>> chunks_;  // By tensor, in order.
  std::optional<RecordReader> reader_;      // Holds the record of the last chunk that was read.
  v1::CheckpointRecord record_;             // The same decoded, where another program encoded it.
  uint64_t read_record_ = 0;                // Its place; 0, where no chunk can be, before the first one.
  ByteView data_;
};

}  // namespace troupe
