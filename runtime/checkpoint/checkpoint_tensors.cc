#include "troupe/runtime/checkpoint/checkpoint_tensors.h"

#include <algorithm>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_chunk.h"
#include "troupe/runtime/checkpoint/checkpoint_scan.h"

namespace troupe {

CheckpointTensors::CheckpointTensors(const std::filesystem::path& path) : path_(path) {
  CheckpointScan scan(path);
  while (scan.next()) {
    auto& record = scan.record();
    switch (scan.record_case()) {
      case v1::CheckpointRecord::kHeader:
        small_.header = scan.header();
        chunks_.resize(static_cast<size_t>(small_.header.tensors_size()));
        break;
      case v1::CheckpointRecord::kChunk:
        chunks_[scan.chunk().tensor].push_back({scan.record_offset(), scan.chunk().offset});
        break;
      case v1::CheckpointRecord::kTrainingState:
        small_.training_state = std::move(*record.mutable_training_state());
        break;
      case v1::CheckpointRecord::kCallbackState:
        small_.callback_states.push_back(std::move(*record.mutable_callback_state()));
        break;
      case v1::CheckpointRecord::kRunState:
        small_.run_state = std::move(*record.mutable_run_state());
        break;
      default:
        break;
    }
  }
}

void CheckpointTensors::read(size_t tensor, uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ByteView rest = chunk_at(tensor, offset);
    const size_t size = std::min(rest.size(), into.size());
    std::copy_n(rest.begin(), size, into.begin());
    into = into.subspan(size);
    offset += size;
  }
}

/// What the chunk that holds this place has from there on.
ByteView CheckpointTensors::chunk_at(size_t tensor, uint64_t offset) {
  const auto& chunks = chunks_[tensor];
  const auto after = std::upper_bound(chunks.begin(), chunks.end(), offset,
                                      [](uint64_t place, const Chunk& chunk) { return place < chunk.begin; });
  const Chunk& chunk = *std::prev(after);
  if (read_record_ != chunk.record) {
    read_record_ = 0;
    reader_.emplace(path_, chunk.record);
    const bool read = reader_->next() == RecordStatus::kRecord;
    ChunkView view;
    if (read && decode_chunk(reader_->record(), view)) {
      data_ = view.data;
    } else if (read && record_.ParseFromArray(reader_->record().data(), static_cast<int>(reader_->record().size()))) {
      data_ = bytes_of(record_.chunk().data());
    } else {
      data_ = {};
    }
    read_record_ = chunk.record;
  }
  if (offset - chunk.begin >= data_.size()) {
    throw CorruptionError(path_.string() + ": the file has changed while it was read");
  }
  return data_.subspan(offset - chunk.begin);
}

}  // namespace troupe
