#pragma once

#include <filesystem>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// A file mapped for reading: its bytes lie in memory only while they are looked at, so it may be larger than memory.
/// Nobody may shorten the file while it is mapped.
class MappedFile {
 public:
  /// Throws IoError when it is no regular file, or cannot be read.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  ByteView bytes() const { return bytes_; }

 private:
  std::filesystem::path path_;
  ByteView bytes_;
};

}  // namespace troupe
