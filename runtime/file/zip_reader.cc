#include "troupe/runtime/file/zip_reader.h"

#include <algorithm>
#include <set>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/file/crc32.h"
#include "troupe/runtime/file/zip_format.h"

namespace troupe {
namespace {

constexpr size_t kDescriptorBytesMax = 24;

/// What the directory says of an entry, and where it turned out to lie.
struct Listed {
  ZipEntry entry;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0;
  uint64_t bytes = 0;
  uint64_t header = 0;  // Offset of the local header.
  uint64_t end = 0;     // Of the data.
};

struct Directory {
  uint64_t entries;
  uint64_t bytes;
  uint64_t offset;
};

class Reader {
 public:
  Reader(const std::filesystem::path& path, ByteView file) : path_(path), file_(file) {}

  std::vector<ZipEntry> read() {
    const Directory directory = read_end();
    std::vector<Listed> listed = read_directory(directory);
    for (auto& one : listed) {
      check_kind(one);
      find_data(one, directory.offset);
    }
    std::sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.header < b.header; });
    check_places(listed, directory.offset);
    std::vector<ZipEntry> entries;
    for (const auto& one : listed) {
      if (crc32(one.entry.data) != one.crc) {
        fail_entry(one, "the CRC does not fit the data");
      }
      entries.push_back(one.entry);
    }
    return entries;
  }

 private:
  Directory read_end() const {
    if (file_.size() < kEndBytes || load_integer<uint32_t>(file_.data() + file_.size() - kEndBytes) != kEndSignature) {
      fail("it does not end with the end of a directory: it is cut short, or has a comment, which is not allowed");
    }
    const uint64_t end = file_.size() - kEndBytes;
    ByteCursor cursor(file_.subspan(end + 4));
    const auto disks = cursor.take<uint32_t>();
    const auto here = cursor.take<uint16_t>();
    const auto entries = cursor.take<uint16_t>();
    const auto bytes = cursor.take<uint32_t>();
    const auto offset = cursor.take<uint32_t>();
    const auto comment = cursor.take<uint16_t>();
    const bool zip64 =
        entries == kFull16 || bytes == kFull32 || offset == kFull32 ||
        (end >= kLocator64Bytes && load_integer<uint32_t>(file_.data() + end - kLocator64Bytes) == kLocator64Signature);
    const Directory directory = zip64 ? read_end64(end) : Directory{entries, bytes, offset};
    const uint64_t directory_end = zip64 ? end - kLocator64Bytes - kEnd64Bytes : end;
    const bool sound = disks == 0 && comment == 0 && here == entries && directory.offset <= directory_end &&
                       directory.bytes == directory_end - directory.offset;
    if (!sound) {
      fail("the directory's place, size or number of entries is not right");
    }
    return directory;
  }

  Directory read_end64(uint64_t end) const {
    if (end < kLocator64Bytes + kEnd64Bytes) {
      fail("the end of its zip64 directory is missing");
    }
    const uint64_t end64 = end - kLocator64Bytes - kEnd64Bytes;
    ByteCursor cursor(file_.subspan(end64));
    const auto signature = cursor.take<uint32_t>();
    const auto size = cursor.take<uint64_t>();
    cursor.take<uint32_t>();  // Versions.
    const auto disks = cursor.take<uint64_t>();
    const auto here = cursor.take<uint64_t>();
    const auto entries = cursor.take<uint64_t>();
    const auto bytes = cursor.take<uint64_t>();
    const auto offset = cursor.take<uint64_t>();
    const auto locator = cursor.take<uint32_t>();
    const auto locator_disk = cursor.take<uint32_t>();
    const auto located = cursor.take<uint64_t>();
    const bool sound = signature == kEnd64Signature && size == kEnd64Bytes - 12 && disks == 0 && here == entries &&
                       locator == kLocator64Signature && locator_disk == 0 && located == end64;
    if (!sound) {
      fail("the end of its zip64 directory is damaged");
    }
    return {entries, bytes, offset};
  }

  std::vector<Listed> read_directory(const Directory& directory) const {
    ByteCursor cursor(file_.subspan(directory.offset, directory.bytes));
    std::vector<Listed> listed;
    std::set<std::string> names;
    while (!cursor.rest().empty()) {
      listed.push_back(read_listed(cursor));
      if (!names.insert(listed.back().entry.name).second) {
        fail_entry(listed.back(), "it is there twice");
      }
    }
    if (listed.size() != directory.entries) {
      fail("the directory lists " + std::to_string(listed.size()) + " entries, and says " +
           std::to_string(directory.entries));
    }
    return listed;
  }

  Listed read_listed(ByteCursor& cursor) const {
    Listed listed;
    const auto signature = cursor.take<uint32_t>();
    cursor.take<uint32_t>();  // Versions.
    listed.flags = cursor.take<uint16_t>();
    listed.method = cursor.take<uint16_t>();
    cursor.take<uint32_t>();  // Time and date.
    listed.crc = cursor.take<uint32_t>();
    listed.compressed = cursor.take<uint32_t>();
    listed.bytes = cursor.take<uint32_t>();
    const auto name_bytes = cursor.take<uint16_t>();
    const auto extra_bytes = cursor.take<uint16_t>();
    const auto comment_bytes = cursor.take<uint16_t>();
    const auto disk = cursor.take<uint16_t>();
    cursor.take_bytes(6);  // Attributes.
    listed.header = cursor.take<uint32_t>();
    listed.entry.name = text_of(cursor.take_bytes(name_bytes));
    const ByteView extra = cursor.take_bytes(extra_bytes);
    cursor.take_bytes(comment_bytes);
    if (!cursor.ok() || signature != kCentralHeaderSignature || disk != 0) {
      fail("the directory is damaged");
    }
    if (comment_bytes != 0) {
      fail_entry(listed, "it has a comment, which is not allowed");
    }
    std::vector<uint64_t*> in_extra;
    for (uint64_t* number : {&listed.bytes, &listed.compressed, &listed.header}) {
      if (*number == kFull32) {
        in_extra.push_back(number);
      }
    }
    read_zip64(listed, extra, in_extra);
    return listed;
  }

  /// Replaces what stands in the zip64 extra field, in the format's order.
  void read_zip64(const Listed& listed, ByteView extra, const std::vector<uint64_t*>& numbers) const {
    ByteCursor fields(extra);
    size_t read = 0;
    bool whole = true;
    while (!fields.rest().empty() && fields.ok()) {
      const auto id = fields.take<uint16_t>();
      const auto size = fields.take<uint16_t>();
      ByteCursor field(fields.take_bytes(size));
      for (; id == kZip64Extra && read < numbers.size() && !field.rest().empty(); ++read) {
        *numbers[read] = field.take<uint64_t>();
      }
      whole = whole && field.ok();
    }
    if (!fields.ok() || !whole || read != numbers.size()) {
      fail_entry(listed, "its extra field is damaged");
    }
  }

  void check_kind(const Listed& listed) const {
    if ((listed.flags & kEncrypted) != 0) {
      fail_entry(listed, "it is encrypted, which is not allowed");
    }
    if (listed.method != 0) {
      fail_entry(listed, "it is compressed (method " + std::to_string(listed.method) +
                             "); only stored entries are allowed, as torch.save and numpy.savez write them");
    }
    if (listed.bytes != listed.compressed) {
      fail_entry(listed, "its sizes do not fit each other");
    }
  }

  void find_data(Listed& listed, uint64_t limit) const {
    if (listed.header > limit) {
      fail_entry(listed, "it lies beyond the end of the data");
    }
    ByteCursor cursor(file_.subspan(listed.header, limit - listed.header));
    const auto signature = cursor.take<uint32_t>();
    cursor.take<uint16_t>();  // Version.
    const auto flags = cursor.take<uint16_t>();
    const auto method = cursor.take<uint16_t>();
    cursor.take<uint32_t>();  // Time and date.
    const auto crc = cursor.take<uint32_t>();
    uint64_t compressed = cursor.take<uint32_t>();
    uint64_t bytes = cursor.take<uint32_t>();
    const auto name_bytes = cursor.take<uint16_t>();
    const auto extra_bytes = cursor.take<uint16_t>();
    const std::string_view name = text_of(cursor.take_bytes(name_bytes));
    const ByteView extra = cursor.take_bytes(extra_bytes);
    if (bytes == kFull32 && compressed == kFull32) {
      read_zip64(listed, extra, {&bytes, &compressed});
    }
    const bool later = (flags & kDescriptor) != 0 && crc == 0;  // Then sizes may be zero here too.
    const bool sizes_fit =
        (bytes == listed.bytes && compressed == listed.bytes) || (later && bytes == 0 && compressed == 0);
    const bool same = signature == kLocalHeaderSignature && flags == listed.flags && method == listed.method &&
                      name == listed.entry.name && (crc == listed.crc || later) && sizes_fit;
    listed.entry.data = cursor.take_bytes(listed.bytes);
    if (!cursor.ok() || !same) {
      fail_entry(listed, same ? "it is cut short" : "its two headers do not agree");
    }
    listed.end = limit - cursor.rest().size();
  }

  /// Entries, sorted by place, one after the other from the first byte to `limit`.
  void check_places(const std::vector<Listed>& listed, uint64_t limit) const {
    uint64_t end = 0;
    for (size_t i = 0; i <= listed.size(); ++i) {
      const uint64_t next = i == listed.size() ? limit : listed[i].header;
      const uint64_t room = i > 0 && (listed[i - 1].flags & kDescriptor) != 0 ? kDescriptorBytesMax : 0;
      if (next < end || next - end > room) {
        fail("its entries overlap, or leave a gap, at offset " + std::to_string(end));
      }
      end = i == listed.size() ? limit : listed[i].end;
    }
  }

  [[noreturn]] void fail_entry(const Listed& listed, const std::string& what) const {
    fail("entry '" + printable(listed.entry.name) + "': " + what);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw CorruptionError(path_.string() + ": not a zip archive that can be read: " + what);
  }

  const std::filesystem::path& path_;
  ByteView file_;
};

}  // namespace

std::vector<ZipEntry> read_zip(const std::filesystem::path& path, ByteView file) {
  return Reader(path, file).read();
}

}  // namespace troupe
