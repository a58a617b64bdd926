#include "troupe/runtime/file/whole_file.h"

#include <system_error>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {

void require_free_name(const std::filesystem::path& path, Existing existing) {
  std::error_code ignored;
  if (existing == Existing::kRefuse && std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    throw ConfigError("write " + path.string() + ": it is there already");
  }
}

void require_other_file(const std::filesystem::path& output, const std::filesystem::path& input) {
  std::error_code ignored;
  if (std::filesystem::equivalent(output, input, ignored)) {
    throw ConfigError("write " + output.string() + ": it is the file that is read, " + input.string());
  }
}

WholeFile::WholeFile(std::filesystem::path path, Existing existing)
    : path_(std::move(path)), temporary_(temporary_name(path_)), existing_(existing), file_(create()) {}

/// Never what is there already, which may be a link to something else.
File WholeFile::create() const {
  std::error_code ignored;
  require_free_name(path_, existing_);
  create_folders(path_.has_parent_path() ? path_.parent_path() : ".");
  std::filesystem::remove(temporary_, ignored);
  return File::create(temporary_);
}

WholeFile::~WholeFile() {
  if (!committed_) {
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }
}

void WholeFile::write(uint64_t offset, ByteView bytes) {
  file_.write_all({bytes}, offset);
}

void WholeFile::commit() {
  file_.sync();
  file_.close();
  require_free_name(path_, existing_);
  rename_durably(temporary_, path_);
  committed_ = true;
}

}  // namespace troupe
