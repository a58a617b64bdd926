#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/checkpoint/checkpoint_chunk.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/event/message_texts.h"
#include "troupe/runtime/file/crc32c.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/file/record_format.h"
#include "troupe/runtime/file/record_writer.h"

namespace troupe {
namespace {

using Record = v1::CheckpointRecord;

/// What precedes a message in the encoded CheckpointRecord that holds it as this field.
class MessageHead {
 public:
  MessageHead(Record::RecordCase field, uint64_t message_bytes) {
    using google::protobuf::internal::WireFormatLite;
    using google::protobuf::io::CodedOutputStream;
    const uint32_t tag = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
    auto* start = reinterpret_cast<uint8_t*>(bytes_.data());
    uint8_t* end = CodedOutputStream::WriteTagToArray(tag, start);
    end = CodedOutputStream::WriteVarint64ToArray(message_bytes, end);
    size_ = static_cast<size_t>(end - start);
  }
  ByteView bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, 16> bytes_;
  size_t size_;
};

/// Writes the records of one checkpoint and keeps the counts and the digest of its footer.
class CheckpointRecords {
 public:
  explicit CheckpointRecords(File file) : writer_(std::move(file)) {}

  /// The record that holds `message` as this field, as protobuf encodes it. Throws ConfigError, before anything of it
  /// is written, for what could not be read back.
  void append(Record::RecordCase field, const google::protobuf::Message& message) {
    const uint64_t message_bytes = message.ByteSizeLong();
    const MessageHead head(field, message_bytes);
    if (head.bytes().size() + message_bytes > kRecordBytesMax) {
      refuse(message, "it has " + std::to_string(message_bytes) + " bytes; at most " + std::to_string(kRecordBytesMax) +
                          " are allowed: only tensors may be larger");
    }
    if (const std::string broken = find_broken_text(message); !broken.empty()) {
      refuse(message, "the text in " + broken + " is not UTF-8");
    }
    const std::string bytes = message.SerializeAsString();
    append(head.bytes(), bytes_of(bytes));
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
    Record record;
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
  [[noreturn]] void refuse(const google::protobuf::Message& message, const std::string& why) const {
    throw ConfigError("cannot write a " + message.GetDescriptor()->name() + " to " + writer_.file().path().string() +
                      ": " + why);
  }

  void append(ByteView head, ByteView body) {
    writer_.append(head, body);
    footer_.set_records(footer_.records() + 1);
    footer_.set_digest(crc32c(body, crc32c(head, footer_.digest())));
  }

  RecordWriter writer_;
  v1::CheckpointFooter footer_;
};

v1::CheckpointHeader header_of(const CheckpointParts& parts) {
  v1::CheckpointHeader header = parts.header;
  header.set_format_version(kCheckpointFormatVersion);
  header.clear_tensors();
  for (const auto& tensor : parts.tensors) {
    auto& info = *header.add_tensors();
    info.set_name(tensor.name);
    info.set_dtype(tensor.dtype);
    info.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    info.set_bytes(tensor.bytes.size());
  }
  return header;
}

CheckpointWritten write_records(const std::filesystem::path& path, const CheckpointParts& parts) {
  CheckpointRecords records(File::create(path));
  records.append(Record::kHeader, header_of(parts));
  for (size_t i = 0; i < parts.tensors.size(); ++i) {
    records.append_tensor(static_cast<uint32_t>(i), parts.tensors[i].bytes);
  }
  if (!parts.header.weights_only()) {
    records.append(Record::kTrainingState, parts.training_state);
    for (const auto& state : parts.callback_states) {
      records.append(Record::kCallbackState, state);
    }
  }
  records.append(Record::kRunState, parts.run_state);
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
