#include "troupe/runtime/file/zip_writer.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/crc32.h"

namespace troupe {
namespace {

constexpr size_t kDataAlignment = 64;       // As torch.save has it.
constexpr uint16_t kPaddingExtra = 0x4246;  // "FB", torch.save's extra field of padding.
constexpr uint16_t kDate = 0x21;            // 1980-01-01, the format's first: equal contents are equal files.
constexpr size_t kExtraHeadBytes = 4;       // Id and size of an extra field.

/// Little-endian integers, one after the other.
class FieldWriter {
 public:
  FieldWriter& u16(uint64_t value) { return append(static_cast<uint16_t>(value)); }
  FieldWriter& u32(uint64_t value) { return append(static_cast<uint32_t>(value)); }
  FieldWriter& u64(uint64_t value) { return append(value); }
  FieldWriter& text(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <class Integer>
  FieldWriter& append(Integer value) {
    append_integer(bytes_, value);
    return *this;
  }

  std::string bytes_;
};

/// The zip64 extra field; empty without numbers.
std::string zip64_extra(const std::vector<uint64_t>& numbers) {
  FieldWriter fields;
  if (!numbers.empty()) {
    fields.u16(kZip64Extra).u16(sizeof(uint64_t) * numbers.size());
    for (const uint64_t number : numbers) {
      fields.u64(number);
    }
  }
  return fields.take();
}

uint16_t flags(std::string_view name) {
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return ascii ? 0 : kUtf8Name;
}

}  // namespace

size_t ZipWriter::add(std::string_view name, uint64_t bytes) {
  if (name.size() > kFull16) {
    throw ConfigError("zip: a name of " + std::to_string(name.size()) + " bytes; at most 65535 are allowed");
  }
  Entry entry{std::string(name), bytes, end_, end_};
  entry.data += local_header(entry).size();
  end_ = entry.data + bytes;
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

void ZipWriter::write(size_t entry, ByteView data) {
  Entry& into = entries_[entry];
  assert(data.size() <= into.bytes - into.written);
  file_.write(into.data + into.written, data);
  into.written += data.size();
  into.crc = crc32(data, into.crc);
}

void ZipWriter::finish() {
  std::string directory;
  for (const auto& entry : entries_) {
    assert(entry.written == entry.bytes);
    file_.write(entry.header, bytes_of(local_header(entry)));
    directory.append(central_header(entry));
  }
  file_.write(end_, bytes_of(directory));
  file_.write(end_ + directory.size(), bytes_of(end(end_, directory.size())));
}

std::string ZipWriter::local_header(const Entry& entry) const {
  const bool zip64 = large(entry.bytes);
  std::string extra = zip64 ? zip64_extra({entry.bytes, entry.bytes}) : "";
  const uint64_t unpadded = entry.header + kLocalHeaderBytes + entry.name.size() + extra.size() + kExtraHeadBytes;
  const std::string padding((kDataAlignment - unpadded % kDataAlignment) % kDataAlignment, '\0');
  extra += FieldWriter().u16(kPaddingExtra).u16(padding.size()).text(padding).take();
  return FieldWriter()
      .u32(kLocalHeaderSignature)
      .u16(zip64 ? kVersionZip64 : kVersionPlain)
      .u16(flags(entry.name))
      .u16(0)  // Stored.
      .u16(0)
      .u16(kDate)
      .u32(entry.crc)
      .u32(zip64 ? kFull32 : entry.bytes)
      .u32(zip64 ? kFull32 : entry.bytes)
      .u16(entry.name.size())
      .u16(extra.size())
      .text(entry.name)
      .text(extra)
      .take();
}

std::string ZipWriter::central_header(const Entry& entry) const {
  std::vector<uint64_t> in_extra;
  if (large(entry.bytes)) {
    in_extra = {entry.bytes, entry.bytes};
  }
  if (large(entry.header)) {
    in_extra.push_back(entry.header);
  }
  const std::string extra = zip64_extra(in_extra);
  const uint16_t version = in_extra.empty() ? kVersionPlain : kVersionZip64;
  const uint64_t size = large(entry.bytes) ? kFull32 : entry.bytes;
  return FieldWriter()
      .u32(kCentralHeaderSignature)
      .u16(version)  // Made by, and needed.
      .u16(version)
      .u16(flags(entry.name))
      .u16(0)
      .u16(0)
      .u16(kDate)
      .u32(entry.crc)
      .u32(size)
      .u32(size)
      .u16(entry.name.size())
      .u16(extra.size())
      .u16(0)  // Comment, disk, and attributes, which say nothing.
      .u16(0)
      .u16(0)
      .u32(0)
      .u32(large(entry.header) ? kFull32 : entry.header)
      .text(entry.name)
      .text(extra)
      .take();
}

std::string ZipWriter::end(uint64_t directory, uint64_t directory_bytes) const {
  const uint64_t entries = entries_.size();
  const bool zip64 = large(directory) || large(directory_bytes) || entries >= kFull16;
  FieldWriter fields;
  if (zip64) {
    fields.u32(kEnd64Signature).u64(kEnd64Bytes - 12).u16(kVersionZip64).u16(kVersionZip64).u32(0).u32(0);
    fields.u64(entries).u64(entries).u64(directory_bytes).u64(directory);
    fields.u32(kLocator64Signature).u32(0).u64(directory + directory_bytes).u32(1);
  }
  fields.u32(kEndSignature).u16(0).u16(0);
  fields.u16(zip64 ? kFull16 : entries).u16(zip64 ? kFull16 : entries);
  fields.u32(zip64 ? kFull32 : directory_bytes).u32(zip64 ? kFull32 : directory).u16(0);
  return fields.take();
}

}  // namespace troupe
