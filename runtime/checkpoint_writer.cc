#include <algorithm>
#include <system_error>

#include "runtime/checkpoint_chunk.h"
#include "runtime/checkpoint_file.h"
#include "runtime/crc32c.h"
#include "runtime/fault_point.h"
#include "runtime/file.h"
#include "runtime/record_writer.h"

namespace troupe {
namespace {

/// Writes the records of one checkpoint and keeps the counts and the digest of its footer.
class CheckpointRecords {
 public:
  explicit CheckpointRecords(File file) : writer_(std::move(file)) {}

  void append(const v1::CheckpointRecord& record) {
    const std::string bytes = record.SerializeAsString();
    append(bytes_of(bytes), {});
  }

  void append_tensor(uint32_t index, ByteView bytes) {
    for (uint64_t offset = 0; offset < bytes.size(); offset += kChunkBytesMax) {
      const ByteView data = bytes.subspan(offset, std::min<uint64_t>(kChunkBytesMax, bytes.size() - offset));
      fault_point("checkpoint.chunk");
      append(ChunkHead({index, offset, data}).bytes(), data);
    }
    footer_.set_tensor_bytes(footer_.tensor_bytes() + bytes.size());
  }

  /// Appends the footer and returns when all is on the device.
  CheckpointWritten finish() {
    v1::CheckpointRecord record;
    *record.mutable_footer() = footer_;
    writer_.append(record);
    fault_point("checkpoint.before_sync");
    writer_.sync();
    fault_point("checkpoint.after_sync");
    const CheckpointWritten written{writer_.written_bytes(), footer_.digest()};
    writer_.close();
    return written;
  }

 private:
  void append(ByteView head, ByteView body) {
    writer_.append(head, body);
    footer_.set_records(footer_.records() + 1);
    footer_.set_digest(crc32c(body, crc32c(head, footer_.digest())));
  }

  RecordWriter writer_;
  v1::CheckpointFooter footer_;
};

v1::CheckpointRecord header_record(const CheckpointParts& parts) {
  v1::CheckpointRecord record;
  auto& header = *record.mutable_header();
  header = parts.header;
  header.set_format_version(kCheckpointFormatVersion);
  header.clear_tensors();
  for (const auto& tensor : parts.tensors) {
    auto& info = *header.add_tensors();
    info.set_name(tensor.name);
    info.set_dtype(tensor.dtype);
    info.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    info.set_bytes(tensor.bytes.size());
  }
  return record;
}

CheckpointWritten write_records(const std::filesystem::path& path, const CheckpointParts& parts) {
  CheckpointRecords records(File::create(path));
  records.append(header_record(parts));
  for (size_t i = 0; i < parts.tensors.size(); ++i) {
    records.append_tensor(static_cast<uint32_t>(i), parts.tensors[i].bytes);
  }
  v1::CheckpointRecord record;
  if (!parts.header.weights_only()) {
    *record.mutable_training_state() = parts.training_state;
    records.append(record);
    for (const auto& state : parts.callback_states) {
      *record.mutable_callback_state() = state;
      records.append(record);
    }
  }
  *record.mutable_run_state() = parts.run_state;
  records.append(record);
  return records.finish();
}

}  // namespace

CheckpointWritten write_checkpoint(const std::filesystem::path& path, const CheckpointParts& parts,
                                   const std::function<void()>& before_rename) {
  const auto temporary = temporary_name(path);
  std::error_code ignored;
  create_folders(path.has_parent_path() ? path.parent_path() : ".");
  std::filesystem::remove(temporary, ignored);
  try {
    const CheckpointWritten written = write_records(temporary, parts);
    if (before_rename) {
      before_rename();
    }
    fault_point("checkpoint.before_rename");
    rename_durably(temporary, path);
    fault_point("checkpoint.after_rename");
    return written;
  } catch (...) {
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

size_t remove_stale_temporaries(const std::filesystem::path& folder) {
  size_t removed = 0;
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  auto entry = std::filesystem::recursive_directory_iterator(folder, ignored);
  for (; !ignored && entry != std::filesystem::recursive_directory_iterator(); entry.increment(ignored)) {
    if (entry->is_regular_file(ignored) && is_temporary_name(entry->path())) {
      stale.push_back(entry->path());
    }
  }
  for (const auto& path : stale) {
    removed += std::filesystem::remove(path, ignored) ? 1 : 0;
  }
  return removed;
}

}  // namespace troupe
