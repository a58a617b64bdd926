#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/file/damage.h"
#include "troupe/runtime/file/file.h"

namespace troupe {

enum class RecordStatus {
  kRecord,   ///< record() is the next one, checksums checked.
  kEnd,      ///< The file ends after the last record.
  kTorn,     ///< The file ends inside a record: a write was cut short, or is still going on.
  kDamaged,  ///< A checksum does not fit, or the length is impossible.
};

/// Reads the records of a file in TFRecord frames, in order, in large reads. For one thread.
class RecordReader {
 public:
  /// Starts at `offset`, which must be a record boundary. Throws IoError.
  explicit RecordReader(const std::filesystem::path& path, uint64_t offset = 0);

  /// Moves to the next record. On anything but kRecord the reader stays where it is, and a later call looks again: what
  /// another process has appended in the meantime is found. A length never makes it allocate more than the file holds.
  RecordStatus next();

  /// The record; valid until the next call of next() or skip_damage().
  ByteView record() const { return record_; }
  /// Where the frame of the last record, or the damage, begins.
  uint64_t offset() const { return offset_; }
  /// Where the next record begins: the end of the last whole one.
  uint64_t end_offset() const { return end_offset_; }
  /// After kTorn or kDamaged: the bytes from offset() on (torn: up to the end of the file) and what is wrong.
  Damage damage() const;

  /// After kDamaged: moves on to the next offset where a whole record with right checksums starts, or to the end of the
  /// file. Returns the bytes passed over.
  uint64_t skip_damage();

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  RecordStatus fail(RecordStatus status, const char* problem, uint64_t bytes);
  bool fill(uint64_t bytes);
  std::byte* at() { return buffer_.get() + (end_offset_ - buffer_offset_); }
  bool whole_record_at(uint64_t offset);

  File file_;
  std::unique_ptr<std::byte[]> buffer_;
  size_t buffer_capacity_;
  uint64_t buffer_offset_ = 0;  // Of the buffer's first byte in the file.
  size_t buffered_bytes_ = 0;
  uint64_t offset_ = 0;
  uint64_t end_offset_ = 0;
  ByteView record_;
  const char* problem_ = "";
  uint64_t damaged_bytes_ = 0;
};

}  // namespace troupe
