#pragma once

#include <cstdint>
#include <filesystem>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/file/file.h"

namespace troupe {

/// What becomes of a file that has the name already.
enum class Existing { kRefuse, kReplace };

/// Throws ConfigError if something is at `path` that is not to be replaced.
void require_free_name(const std::filesystem::path& path, Existing existing);

/// Throws ConfigError if both are one file, by whatever names.
void require_other_file(const std::filesystem::path& output, const std::filesystem::path& input);

/// A file that gets its name when it is whole: written to "<path>.tmp-<pid>", which is removed unless commit() has
/// returned. What had the name before stays until then. The folder is made if missing.
class WholeFile {
 public:
  /// Throws as require_free_name, and IoError.
  WholeFile(std::filesystem::path path, Existing existing);
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  /// Throws IoError.
  void write(uint64_t offset, ByteView bytes);

  /// Makes the content durable, then the name. Throws as the constructor.
  void commit();

 private:
  File create() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Existing existing_;
  File file_;
  bool committed_ = false;
};

}  // namespace troupe
