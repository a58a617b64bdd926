#include "troupe/runtime/file/record_reader.h"

#include <algorithm>

#include "troupe/runtime/file/record_format.h"

namespace troupe {
namespace {

constexpr size_t kReadBufferBytes = 1U << 20;

}  // namespace

RecordReader::RecordReader(const std::filesystem::path& path, uint64_t offset)
    : file_(File::open(path)),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kReadBufferBytes)),
      buffer_capacity_(kReadBufferBytes),
      buffer_offset_(offset),
      offset_(offset),
      end_offset_(offset) {}

RecordStatus RecordReader::next() {
  offset_ = end_offset_;
  record_ = {};
  if (!fill(kFrameHeadBytes)) {
    const uint64_t left = buffer_offset_ + buffered_bytes_ - offset_;
    return left == 0 ? RecordStatus::kEnd : fail(RecordStatus::kTorn, "the file ends inside a record's length", left);
  }
  const auto length = load_integer<uint64_t>(at());
  if (load_integer<uint32_t>(at() + sizeof length) != mask_crc(crc32c({at(), sizeof length}))) {
    return fail(RecordStatus::kDamaged, "the checksum of a record's length does not fit", kFrameHeadBytes);
  }
  if (length > kRecordBytesMax) {
    return fail(RecordStatus::kDamaged, "a record's length is beyond what is allowed", kFrameHeadBytes);
  }
  if (!fill(kFrameBytes + length)) {
    return fail(RecordStatus::kTorn, "the file ends inside a record", file_.size() - offset_);
  }
  const ByteView record(at() + kFrameHeadBytes, length);
  if (load_integer<uint32_t>(record.data() + length) != mask_crc(crc32c(record))) {
    return fail(RecordStatus::kDamaged, "the checksum of a record does not fit", kFrameBytes + length);
  }
  record_ = record;
  end_offset_ += kFrameBytes + length;
  return RecordStatus::kRecord;
}

Damage RecordReader::damage() const {
  return {path(), offset_, damaged_bytes_, problem_};
}

RecordStatus RecordReader::fail(RecordStatus status, const char* problem, uint64_t bytes) {
  problem_ = problem;
  damaged_bytes_ = bytes;
  buffered_bytes_ =
      end_offset_ - buffer_offset_;  // Read it afresh next time: a writer may cut it off and write something else.
  return status;
}

/// Makes `bytes` bytes from end_offset_ on lie in the buffer; false if the file has fewer.
bool RecordReader::fill(uint64_t bytes) {
  const size_t used = end_offset_ - buffer_offset_;
  if (used + bytes <= buffered_bytes_) {
    return true;
  }
  if (bytes > buffer_capacity_) {
    if (end_offset_ + bytes > file_.size()) {
      return false;
    }
    auto larger = std::make_unique_for_overwrite<std::byte[]>(bytes);
    std::copy(at(), buffer_.get() + buffered_bytes_, larger.get());
    buffer_ = std::move(larger);
    buffer_capacity_ = bytes;
  } else {
    std::memmove(buffer_.get(), at(), buffered_bytes_ - used);
  }
  buffer_offset_ = end_offset_;
  buffered_bytes_ -= used;
  buffered_bytes_ +=
      file_.read(buffer_.get() + buffered_bytes_, buffer_capacity_ - buffered_bytes_, buffer_offset_ + buffered_bytes_);
  return buffered_bytes_ >= bytes;
}

uint64_t RecordReader::skip_damage() {
  const uint64_t start = offset_;
  const uint64_t end = file_.size();
  uint64_t candidate = start + 1;
  while (candidate + kFrameBytes <= end && !whole_record_at(candidate)) {
    ++candidate;
  }
  end_offset_ = candidate + kFrameBytes <= end ? candidate : end;
  buffer_offset_ = end_offset_;
  buffered_bytes_ = 0;
  return end_offset_ - start;
}

bool RecordReader::whole_record_at(uint64_t offset) {
  if (offset < buffer_offset_ || offset + kFrameHeadBytes > buffer_offset_ + buffered_bytes_) {
    buffer_offset_ = offset;
    buffered_bytes_ = file_.read(buffer_.get(), buffer_capacity_, offset);
  }
  const std::byte* head = buffer_.get() + (offset - buffer_offset_);
  if (load_integer<uint32_t>(head + 8) != mask_crc(crc32c({head, 8}))) {
    return false;
  }
  end_offset_ = offset;  // next() reads from there, and leaves it when the record is not sound.
  buffer_offset_ = offset;
  buffered_bytes_ = 0;
  const bool whole = next() == RecordStatus::kRecord;
  end_offset_ = offset;
  return whole;
}

}  // namespace troupe
