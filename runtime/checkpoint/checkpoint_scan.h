#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <filesystem>

#include "troupe/runtime/checkpoint/checkpoint_chunk.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe {

/// Walks the records of a checkpoint file in order, one in memory at a time, and checks everything that can be checked
/// on the way.
class CheckpointScan {
 public:
  /// Throws IoError.
  explicit CheckpointScan(const std::filesystem::path& path);

  /// Moves to the next record; false after the footer, with nothing behind it. The first is the header, the last the
  /// footer. Throws DamageError at the first thing that is wrong, ForeignFileError for a file that never was a
  /// checkpoint.
  bool next();

  v1::CheckpointRecord::RecordCase record_case() const { return case_; }
  /// The record, unless it is a chunk; the caller may take it.
  v1::CheckpointRecord& record() { return record_; }
  /// The chunk; its data is valid until next().
  const ChunkView& chunk() const { return chunk_; }

  /// Where the record's frame begins in the file.
  uint64_t record_offset() const { return records_in_.offset(); }

  const v1::CheckpointHeader& header() const { return header_; }
  uint64_t records() const { return records_; }
  uint64_t tensor_bytes() const { return tensor_bytes_; }
  /// Over the records so far, without the footer.
  uint32_t digest() const { return digest_; }

 private:
  void parse(ByteView bytes);
  void check();
  void check_header();
  void check_chunk();
  void check_order(v1::CheckpointRecord::RecordCase earliest_previous);
  void check_footer();
  /// Before the first record is anything: what is wrong may be the file's name.
  void refuse_foreign_start() const;
  [[noreturn]] void fail(std::string message) const;

  RecordReader records_in_;
  v1::CheckpointRecord record_;
  v1::CheckpointRecord::RecordCase case_ = v1::CheckpointRecord::RECORD_NOT_SET;
  v1::CheckpointRecord::RecordCase previous_ = v1::CheckpointRecord::RECORD_NOT_SET;
  ChunkView chunk_;
  v1::CheckpointHeader header_;
  int tensor_ = 0;              // The one whose bytes come next,
  uint64_t tensor_offset_ = 0;  // from here on.
  uint64_t records_ = 0;
  uint64_t tensor_bytes_ = 0;
  uint32_t digest_ = 0;
};

}  // namespace troupe
