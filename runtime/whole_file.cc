#include "runtime/whole_file.h"

#include <system_error>
#include <utility>

#include "runtime/error.h"

namespace troupe {

void require_free_name(const std::filesystem::path& path, Existing existing) {
  std::error_code ignored;
  if (existing == Existing::kRefuse && std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    throw ConfigError("write " + path.string() + ": it is there already; --force replaces it");
  }
}

WholeFile::WholeFile(std::filesystem::path path, Existing existing)
    : path_(std::move(path)),
      temporary_((require_free_name(path_, existing), temporary_name(path_))),
      existing_(existing),
      file_(File::open_or_create(temporary_)) {
  file_.truncate(0);
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
