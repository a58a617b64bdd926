#include "troupe/runtime/checkpoint/checkpoint_scan.h"

#include <set>
#include <string_view>

#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/checkpoint/foreign_file.h"
#include "troupe/runtime/file/crc32c.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

using Record = v1::CheckpointRecord;

}  // namespace

CheckpointScan::CheckpointScan(const std::filesystem::path& path) : records_in_(path) {}

bool CheckpointScan::next() {
  const RecordStatus status = records_in_.next();
  const bool after_footer = case_ == Record::kFooter;
  if (status == RecordStatus::kEnd && after_footer) {
    return false;
  }
  if (status == RecordStatus::kEnd) {
    fail("the file ends before the footer");
  }
  if (status != RecordStatus::kRecord) {
    refuse_foreign_start();
    throw DamageError(records_in_.damage());
  }
  if (after_footer) {
    fail("a record after the footer");
  }
  previous_ = case_;
  parse(records_in_.record());
  check();
  if (case_ != Record::kFooter) {
    ++records_;
    digest_ = crc32c(records_in_.record(), digest_);
  }
  return true;
}

void CheckpointScan::parse(ByteView bytes) {
  if (decode_chunk(bytes, chunk_)) {
    case_ = Record::kChunk;
    return;
  }
  if (!record_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    fail("a record that is not of a checkpoint");
  }
  case_ = record_.record_case();
  if (case_ == Record::kChunk) {  // A chunk that another program encoded.
    chunk_ = {record_.chunk().tensor(), record_.chunk().offset(), bytes_of(record_.chunk().data())};
  }
}

void CheckpointScan::check() {
  if ((previous_ == Record::RECORD_NOT_SET) != (case_ == Record::kHeader)) {
    fail(case_ == Record::kHeader ? "a second header" : "the first record is not a header");
  }
  const bool full = !header_.weights_only();
  switch (case_) {
    case Record::kHeader:
      return check_header();
    case Record::kChunk:
      return check_chunk();
    case Record::kTrainingState:
      return previous_ <= Record::kChunk && full ? check_order(Record::kHeader) : fail("training state out of place");
    case Record::kCallbackState:
      return full && previous_ <= Record::kCallbackState ? check_order(Record::kTrainingState)
                                                         : fail("callback state out of place");
    case Record::kRunState:
      return previous_ < Record::kRunState ? check_order(full ? Record::kTrainingState : Record::kHeader)
                                           : fail("run state out of place");
    case Record::kFooter:
      check_order(Record::kRunState);
      return check_footer();
    default:
      fail("a record of a type that this version does not know");
  }
}

void CheckpointScan::check_header() {
  header_ = record_.header();
  if (header_.format_version() != kCheckpointFormatVersion) {
    throw CorruptionError(records_in_.path().string() + ": checkpoint format version " +
                          std::to_string(header_.format_version()) + "; this version of Troupe reads version " +
                          std::to_string(kCheckpointFormatVersion) + " only");
  }
  const uint64_t file_bytes = File::open(records_in_.path()).size();
  uint64_t total = 0;
  std::set<std::string_view> names;
  for (const auto& info : header_.tensors()) {
    const size_t element_bytes = dtype_bytes(info.dtype());
    if (element_bytes == 0 || array_bytes(element_bytes, shape_of(info)) != info.bytes()) {
      fail("tensor '" + printable(info.name()) + "' has an unknown type, or a size that does not fit its shape");
    }
    if (!names.insert(info.name()).second) {
      fail("tensor '" + printable(info.name()) + "' is there twice");
    }
    if (info.bytes() > file_bytes - total) {
      fail("the tensors of the header are larger than the file");
    }
    total += info.bytes();
  }
}

void CheckpointScan::check_chunk() {
  if (previous_ > Record::kChunk) {
    fail("a chunk of a tensor out of place");
  }
  while (tensor_ < header_.tensors_size() && tensor_offset_ == header_.tensors(tensor_).bytes()) {
    ++tensor_;
    tensor_offset_ = 0;
  }
  const uint64_t size = chunk_.data.size();
  const bool expected = tensor_ < header_.tensors_size() && chunk_.tensor == static_cast<uint32_t>(tensor_) &&
                        chunk_.offset == tensor_offset_ && size != 0 && size <= kChunkBytesMax &&
                        size <= header_.tensors(tensor_).bytes() - tensor_offset_;
  if (!expected) {
    fail("a chunk that is not the next one of the tensors in the header (tensor " + std::to_string(chunk_.tensor) +
         ", offset " + std::to_string(chunk_.offset) + ", " + std::to_string(size) + " bytes)");
  }
  tensor_offset_ += size;
  tensor_bytes_ += size;
}

/// Fails unless what has to come before this record has come: all tensors, and at least a record of the given kind.
void CheckpointScan::check_order(Record::RecordCase earliest_previous) {
  uint64_t wanted = 0;
  for (const auto& info : header_.tensors()) {
    wanted += info.bytes();
  }
  if (tensor_bytes_ != wanted) {
    fail("the tensors have " + std::to_string(tensor_bytes_) + " of " + std::to_string(wanted) + " bytes");
  }
  if (previous_ < earliest_previous) {
    fail("a record is missing before this one");
  }
}

void CheckpointScan::check_footer() {
  const auto& footer = record_.footer();
  if (footer.records() != records_ || footer.tensor_bytes() != tensor_bytes_ || footer.digest() != digest_) {
    fail("the footer's counts or digest do not fit the records before it");
  }
}

void CheckpointScan::refuse_foreign_start() const {
  if (records_ == 0) {
    refuse_foreign_file(records_in_.path());
  }
}

void CheckpointScan::fail(std::string message) const {
  refuse_foreign_start();
  throw DamageError(
      {records_in_.path(), records_in_.offset(), records_in_.end_offset() - records_in_.offset(), std::move(message)});
}

}  // namespace troupe
