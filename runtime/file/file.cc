#include "troupe/runtime/file/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr std::string_view kTemporaryMark = ".tmp-";

[[noreturn]] void throw_io_error(std::string_view operation, const std::filesystem::path& path, int code) {
  throw IoError("cannot " + std::string(operation) + " " + path.string() + ": " +
                std::generic_category().message(code));
}

/// The parts of `views` that lie behind the first `done` bytes.
std::vector<iovec> remaining(const std::vector<ByteView>& views, uint64_t done) {
  std::vector<iovec> parts;
  for (const ByteView view : views) {
    const uint64_t skipped = std::min<uint64_t>(done, view.size());
    done -= skipped;
    if (skipped < view.size()) {
      parts.push_back({const_cast<std::byte*>(view.data() + skipped), view.size() - skipped});
    }
  }
  return parts;
}

/// Of a folder that is there already: the process that made it may have died before the name was durable. A parent that
/// this user may not read is another one's, and was there before.
void sync_name_of(const std::filesystem::path& folder) {
  const auto parent = folder.parent_path();
  if (::access(parent.c_str(), R_OK) == 0) {
    sync_folder(parent);
  }
}

}  // namespace

File::File(const std::filesystem::path& path, int flags) : path_(path) {
  descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    throw_io_error((flags & O_CREAT) != 0 ? "create" : "open", path, errno);
  }
}

File File::open(const std::filesystem::path& path) {
  return {path, O_RDONLY};
}

File File::open_to_write(const std::filesystem::path& path) {
  return {path, O_RDWR};
}

File File::create(const std::filesystem::path& path) {
  return {path, O_RDWR | O_CREAT | O_EXCL};
}

File File::open_or_create(const std::filesystem::path& path) {
  return {path, O_RDWR | O_CREAT};
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void File::write_all(std::initializer_list<ByteView> parts, uint64_t offset, uint64_t* written) {
  const std::vector<ByteView> views(parts);
  uint64_t done = 0;
  for (auto rest = remaining(views, 0); !rest.empty(); rest = remaining(views, done)) {
    const ssize_t taken =
        ::pwritev(descriptor_, rest.data(), static_cast<int>(rest.size()), static_cast<off_t>(offset + done));
    if (taken < 0 && errno == EINTR) {
      continue;
    }
    if (taken <= 0) {
      throw_io_error("write", path_, taken == 0 ? EIO : errno);
    }
    done += static_cast<uint64_t>(taken);
    if (written != nullptr) {
      *written = done;
    }
  }
}

size_t File::read(std::byte* into, size_t size, uint64_t offset) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(descriptor_, into + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw_io_error("read", path_, errno);
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  return done;
}

void File::truncate(uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    throw_io_error("truncate", path_, errno);
  }
}

uint64_t File::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    throw_io_error("stat", path_, errno);
  }
  return static_cast<uint64_t>(status.st_size);
}

void File::sync() {
  if (::fsync(descriptor_) != 0) {
    throw_io_error("sync", path_, errno);
  }
}

void File::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    throw_io_error("close", path_, errno);
  }
}

bool File::try_lock() {
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return false;
    }
    if (errno != EINTR) {
      throw_io_error("lock", path_, errno);
    }
  }
  return true;
}

void sync_folder(const std::filesystem::path& folder) {
  File::open(folder.empty() ? "." : folder).sync();
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    throw_io_error("rename " + from.string() + " to", to, errno);
  }
  sync_folder(to.parent_path());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, {bytes_of(content)});
}

void write_file_atomically(const std::filesystem::path& path, std::initializer_list<ByteView> parts) {
  const auto temporary = temporary_name(path);
  std::error_code none;
  std::filesystem::remove(temporary, none);  // Whatever lies there, a link to another file even, is not written to.
  try {
    File file = File::create(temporary);
    file.write_all(parts, 0);
    file.sync();
    rename_durably(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

std::string read_file(const std::filesystem::path& path) {
  const File file = File::open(path);
  std::string content(file.size(), '\0');
  content.resize(file.read(reinterpret_cast<std::byte*>(content.data()), content.size(), 0));
  return content;
}

void create_folders(const std::filesystem::path& folder) {
  std::filesystem::path there = std::filesystem::absolute(folder);
  std::vector<std::filesystem::path> missing;
  std::error_code error;
  while (!std::filesystem::exists(there, error) && there.has_relative_path()) {
    missing.push_back(there);
    there = there.parent_path();
  }
  if (error || !std::filesystem::is_directory(there, error)) {
    throw_io_error("create folder", folder, error ? error.value() : ENOTDIR);
  }
  sync_name_of(there);
  for (auto next = missing.rbegin(); next != missing.rend(); ++next) {
    if (::mkdir(next->c_str(), 0777) != 0 && errno != EEXIST) {
      throw_io_error("create folder", folder, errno);
    }
    sync_folder(next->parent_path());
  }
}

void require_writable_folder(const std::filesystem::path& folder) {
  create_folders(folder);
  const auto probe = temporary_name(folder / "probe");
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  try {
    File::create(probe).write_all({bytes_of(std::string_view("probe"))}, 0);
  } catch (...) {
    std::filesystem::remove(probe, ignored);
    throw;
  }
  std::filesystem::remove(probe, ignored);
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  return path.string() + std::string(kTemporaryMark) + std::to_string(::getpid());
}

bool is_temporary_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const size_t mark = name.rfind(kTemporaryMark);
  return mark != std::string::npos && mark + kTemporaryMark.size() < name.size() &&
         name.find_first_not_of("0123456789", mark + kTemporaryMark.size()) == std::string::npos;
}

}  // namespace troupe
