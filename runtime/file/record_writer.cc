#include "troupe/runtime/file/record_writer.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/record_format.h"

namespace troupe {
namespace {

constexpr size_t kWriteBufferBytes = 1U << 20;

void check_size(uint64_t record_bytes, const File& file) {
  if (record_bytes > kRecordBytesMax) {
    throw IoError("cannot write " + file.path().string() + ": a record of " + std::to_string(record_bytes) +
                  " bytes; at most " + std::to_string(kRecordBytesMax) + " are allowed");
  }
}

}  // namespace

RecordWriter::RecordWriter(File file)
    : file_(std::move(file)),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kWriteBufferBytes)),
      written_bytes_(file_.size()) {}

void RecordWriter::append(ByteView head, ByteView body) {
  const size_t record_bytes = head.size() + body.size();
  check_size(record_bytes, file_);
  if (record_bytes + kFrameBytes > kWriteBufferBytes) {
    write_directly(head, body);
    return;
  }
  std::byte* frame = reserve(record_bytes + kFrameBytes);
  store_frame_head(frame, record_bytes);
  std::byte* record = frame + kFrameHeadBytes;
  std::copy(head.begin(), head.end(), record);
  std::copy(body.begin(), body.end(), record + head.size());
  store_integer(record + record_bytes, mask_crc(crc32c({record, record_bytes})));
  buffered_bytes_ += record_bytes + kFrameBytes;
}

void RecordWriter::append(const google::protobuf::MessageLite& message) {
  const size_t record_bytes = message.ByteSizeLong();
  check_size(record_bytes, file_);
  if (record_bytes + kFrameBytes > kWriteBufferBytes) {
    append(bytes_of(message.SerializeAsString()));
    return;
  }
  std::byte* frame = reserve(record_bytes + kFrameBytes);
  store_frame_head(frame, record_bytes);
  std::byte* record = frame + kFrameHeadBytes;
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(record));
  store_integer(record + record_bytes, mask_crc(crc32c({record, record_bytes})));
  buffered_bytes_ += record_bytes + kFrameBytes;
}

std::byte* RecordWriter::reserve(size_t frame_bytes) {
  check_usable();
  if (buffered_bytes_ + frame_bytes > kWriteBufferBytes) {
    write();
  }
  return buffer_.get() + buffered_bytes_;
}

void RecordWriter::write_directly(ByteView head, ByteView body) {
  write();
  std::byte frame_head[kFrameHeadBytes];
  store_frame_head(frame_head, head.size() + body.size());
  std::byte frame_tail[kFrameTailBytes];
  store_integer(frame_tail, mask_crc(crc32c(body, crc32c(head))));
  try {
    file_.write_all({frame_head, head, body, frame_tail}, written_bytes_);
  } catch (const IoError& error) {
    failure_ = error.what();
    fail(0);
  }
  written_bytes_ += head.size() + body.size() + kFrameBytes;
}

void RecordWriter::write() {
  check_usable();
  uint64_t taken = 0;
  try {
    file_.write_all({{buffer_.get(), buffered_bytes_}}, written_bytes_, &taken);
  } catch (const IoError& error) {
    failure_ = error.what();
    fail(whole_records_bytes(taken));
  }
  written_bytes_ += buffered_bytes_;
  buffered_bytes_ = 0;
}

void RecordWriter::sync() {
  write();
  try {
    file_.sync();
  } catch (const IoError& error) {
    failure_ =
        error.what();  // The system may have dropped the pages: what is on the device is unknown, so no second try.
    throw;
  }
  durable_bytes_ = written_bytes_;
}

void RecordWriter::close() {
  write();
  failure_ = "cannot write " + file_.path().string() + ": it has been closed";
  file_.close();
}

void RecordWriter::check_usable() const {
  if (!failure_.empty()) {
    throw IoError(failure_);
  }
}

/// How much of the buffer's first `taken` bytes is whole records.
uint64_t RecordWriter::whole_records_bytes(uint64_t taken) const {
  uint64_t whole = 0;
  while (whole + kFrameBytes <= taken) {
    const uint64_t next = whole + kFrameBytes + load_integer<uint64_t>(buffer_.get() + whole);
    if (next > taken) {
      break;
    }
    whole = next;
  }
  return whole;
}

void RecordWriter::fail(uint64_t keep_bytes) {
  written_bytes_ += keep_bytes;
  buffered_bytes_ = 0;
  try {
    file_.truncate(written_bytes_);
  } catch (const IoError& error) {
    failure_ += std::string("; ") + error.what();
  }
  throw IoError(failure_);
}

}  // namespace troupe
