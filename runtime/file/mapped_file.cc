#include "troupe/runtime/file/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
  throw IoError("cannot read " + path.string() + ": " + reason);
}

/// The file's bytes, mapped. Closes nothing.
ByteView map(const std::filesystem::path& path, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    fail(path, std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    fail(path, "it is not a regular file");
  }
  if (status.st_size == 0) {
    return {};  // The system maps no empty file.
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) {
    fail(path, std::generic_category().message(errno));
  }
  return {static_cast<const std::byte*>(data), size};
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO would wait for its writer, before it can be refused.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    fail(path, std::generic_category().message(errno));
  }
  try {
    bytes_ = map(path, descriptor);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

}  // namespace troupe
