#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// An open file descriptor and the path it was opened by. Reads and writes name their offset; there is no file
/// position. Every call that the system refuses throws IoError: operation, path, reason.
class File {
 public:
  /// For reading; the file must exist.
  static File open(const std::filesystem::path& path);
  /// For reading and writing; the file must exist.
  static File open_to_write(const std::filesystem::path& path);
  /// For reading and writing; the file must not exist.
  static File create(const std::filesystem::path& path);
  /// For reading and writing; made if it does not exist.
  static File open_or_create(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  /// Writes all of `parts`, one after the other, from `offset` on; returns when the system has them. On failure
  /// `written` (if given) says how many bytes it took.
  void write_all(std::initializer_list<ByteView> parts, uint64_t offset, uint64_t* written = nullptr);
  /// Reads up to `size` bytes from `offset`; fewer only at the end of the file.
  size_t read(std::byte* into, size_t size, uint64_t offset) const;
  void truncate(uint64_t size);
  uint64_t size() const;
  /// Returns when what was written is on the device.
  void sync();
  /// Closes and reports what the system says of it; the destructor closes silently.
  void close();
  /// Takes the exclusive advisory lock of the file; false if another descriptor holds it.
  bool try_lock();

  const std::filesystem::path& path() const { return path_; }

 private:
  File(const std::filesystem::path& path, int flags);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Makes the names in `folder` durable: files created, renamed or removed in it.
void sync_folder(const std::filesystem::path& folder);

/// Renames within one folder, atomically replacing what was there, and makes the name durable.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Replaces the file's content so that a reader, or the next start after a crash, sees the old content or the new.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);
/// The same for a content in parts, one after the other.
void write_file_atomically(const std::filesystem::path& path, std::initializer_list<ByteView> parts);

/// The whole content of a small file.
std::string read_file(const std::filesystem::path& path);

/// Makes a folder and those of its parents that are missing, and makes their names durable.
void create_folders(const std::filesystem::path& folder);

/// Makes a folder as create_folders does, and a file in it that is removed again. Throws IoError when that cannot be.
void require_writable_folder(const std::filesystem::path& folder);

/// "<path>.tmp-<process id>": where a file is written before it gets its name.
std::filesystem::path temporary_name(const std::filesystem::path& path);
/// Whether temporary_name, in any process, gives such a name.
bool is_temporary_name(const std::filesystem::path& path);

}  // namespace troupe
