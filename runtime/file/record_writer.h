#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <memory>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/file/file.h"

namespace troupe {

/// Appends records in TFRecord frames to a file, through a buffer of fixed size. For one thread.
///
/// A call that the system refuses throws IoError, as does every call after it. What a write that broke off has left
/// behind is cut back to the last whole record where the system allows that.
class RecordWriter {
 public:
  /// Goes on at the end of `file`, which must be a record boundary.
  explicit RecordWriter(File file);

  /// Copies the record into the buffer, or writes it directly when it is larger than the buffer.
  void append(ByteView record) { append(record, {}); }
  /// One record made of `head` and `body`; a large body is written from where it lies, without a copy.
  void append(ByteView head, ByteView body);
  /// Serialises into the buffer.
  void append(const google::protobuf::MessageLite& message);

  /// Hands the buffer to the system.
  void write();
  /// Writes, and returns when everything appended is on the device.
  void sync();
  /// Writes and closes the file; nothing may be appended after it.
  void close();

  /// Size of the file with everything appended, written, and known to be on the device.
  uint64_t appended_bytes() const { return written_bytes_ + buffered_bytes_; }
  uint64_t written_bytes() const { return written_bytes_; }
  uint64_t durable_bytes() const { return durable_bytes_; }
  const File& file() const { return file_; }

 private:
  std::byte* reserve(size_t frame_bytes);
  void write_directly(ByteView head, ByteView body);
  void check_usable() const;
  uint64_t whole_records_bytes(uint64_t taken) const;
  [[noreturn]] void fail(uint64_t keep_bytes);

  File file_;
  std::unique_ptr<std::byte[]> buffer_;
  size_t buffered_bytes_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t durable_bytes_ = 0;
  std::string failure_;
};

}  // namespace troupe
