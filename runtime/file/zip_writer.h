#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/file/whole_file.h"
#include "troupe/runtime/file/zip_format.h"

namespace troupe {

/// Writes a zip archive of entries that are stored, not compressed, and whose sizes are known beforehand: so their
/// places are known at once, and they can be filled in any order. Uses zip64 where 32 bits do not do.
class ZipWriter {
 public:
  /// `file` outlives the writer and is written from its start. `zip64_from`: the first size or offset for which zip64
  /// is used; smaller for tests.
  explicit ZipWriter(WholeFile& file, uint64_t zip64_from = kFull32) : file_(file), zip64_from_(zip64_from) {}

  /// Reserves the place of the next entry, whose data will start at a multiple of 64 bytes. Returns its index. Throws
  /// ConfigError for a name of more than 65,535 bytes.
  size_t add(std::string_view name, uint64_t bytes);

  /// The next piece of an entry's data.
  void write(size_t entry, ByteView data);

  /// add and write at once.
  void add_whole(std::string_view name, ByteView data) { write(add(name, data.size()), data); }

  /// After all data: writes every header. Asserts that each entry is full.
  void finish();

 private:
  struct Entry {
    std::string name;
    uint64_t bytes;
    uint64_t header;  // Offset of the local header.
    uint64_t data;    // Offset of the data.
    uint64_t written = 0;
    uint32_t crc = 0;
  };

  bool large(uint64_t number) const { return number >= zip64_from_; }
  std::string local_header(const Entry& entry) const;
  std::string central_header(const Entry& entry) const;
  std::string end(uint64_t directory, uint64_t directory_bytes) const;

  WholeFile& file_;
  uint64_t zip64_from_;
  std::vector<Entry> entries_;
  uint64_t end_ = 0;  // Of the last entry's data.
};

}  // namespace troupe
