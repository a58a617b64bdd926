#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

namespace troupe {

/// A text file that grows at its end and can be cut back. What is appended is in the file, for every reader, when
/// append() returns. Methods throw IoError: what was tried, path, reason. A copy shares the open file.
class AppendedFile {
 public:
  /// Makes the folder and, where there is none, an empty file.
  static void check_writable(const std::filesystem::path& path);
  /// 0 where there is no regular file.
  static uint64_t size_of(const std::filesystem::path& path);

  /// Touches no file yet.
  explicit AppendedFile(std::filesystem::path path);

  /// Makes the folder and the file, and cuts it to `bytes` if it is longer; a shorter one is left as it is. Another
  /// file that has taken the place of this one is opened.
  void open(uint64_t bytes);
  bool is_open() const { return file_ != nullptr; }
  void append(std::string_view text);
  /// Makes what was appended durable.
  void sync() const;

  const std::filesystem::path& path() const { return path_; }
  /// Size of the file with what was appended.
  uint64_t bytes() const { return bytes_; }

 private:
  std::filesystem::path path_;
  uint64_t bytes_ = 0;
  std::shared_ptr<std::FILE> file_;
};

}  // namespace troupe
