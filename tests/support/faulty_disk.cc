#include "tests/support/faulty_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "tests/support/system_calls.h"

namespace troupe::testing {
namespace {

FaultyDisk* installed = nullptr;

std::string text_of(const iovec* parts, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return text;
}

}  // namespace

FaultyDisk::FaultyDisk(std::filesystem::path folder, uint64_t seed)
    : folder_(std::move(folder)), random_(seed), model_(folder_) {
  if (installed != nullptr) {
    throw std::logic_error("one FaultyDisk at a time");
  }
  installed = this;
}

FaultyDisk::~FaultyDisk() {
  installed = nullptr;
}

void FaultyDisk::plan(const DiskFault& fault) {
  fault_ = fault;
  operations_ = 0;
  struck_ = false;
  dead_ = false;
}

FaultyDisk* FaultyDisk::of(const char* path) {
  return installed != nullptr && installed->inside(path) ? installed : nullptr;
}

FaultyDisk* FaultyDisk::of(int descriptor) {
  return installed != nullptr && installed->open_.contains(descriptor) ? installed : nullptr;
}

/// The path relative to the folder.
std::optional<std::filesystem::path> FaultyDisk::inside(std::string_view path) const {
  const std::string& folder = folder_.native();
  if (!path.starts_with(folder)) {
    return std::nullopt;
  }
  const std::string_view rest = path.substr(folder.size());
  if (!rest.empty() && rest.front() != '/') {
    return std::nullopt;
  }
  return std::filesystem::path(rest.empty() ? rest : rest.substr(1));
}

int FaultyDisk::error_for(Operation operation) {
  static const std::map<Operation, std::vector<int>> all{
      {Operation::kOpen, {EIO, EMFILE, EACCES}}, {Operation::kCreate, {EIO, ENOSPC, EACCES, EDQUOT}},
      {Operation::kRead, {EIO, EINTR}},          {Operation::kWrite, {EIO, ENOSPC, EINTR, EDQUOT}},
      {Operation::kTruncate, {EIO, ENOSPC}},     {Operation::kSync, {EIO, ENOSPC}},
      {Operation::kRename, {EIO, ENOSPC}},       {Operation::kLink, {EIO, EMLINK, EPERM, EXDEV}},
      {Operation::kRemove, {EIO, EACCES}},       {Operation::kMakeFolder, {EIO, ENOSPC, EACCES}},
  };
  const auto& errors = all.at(operation);
  return errors[below(errors.size())];
}

/// Counts the operation; true, with errno set, if it is to fail.
bool FaultyDisk::fails(Operation operation) {
  errno = EIO;
  if (dead_ || ++operations_ < fault_.at_operation) {
    return dead_;
  }
  switch (fault_.kind) {
    case DiskFault::Kind::kDeath:
      struck_ = dead_ = true;
      return true;
    case DiskFault::Kind::kError:
      struck_ = true;
      fault_.kind = DiskFault::Kind::kNone;
      errno = error_for(operation);
      return true;
    case DiskFault::Kind::kFull: {
      const bool needs_space = operation == Operation::kCreate || operation == Operation::kWrite ||
                               operation == Operation::kMakeFolder || operation == Operation::kRename;
      const bool full = needs_space && operations_ < fault_.at_operation + fault_.operations;
      struck_ = struck_ || full;
      errno = ENOSPC;
      return full;
    }
    default:
      return false;
  }
}

int FaultyDisk::open(const char* path, int flags, mode_t mode) {
  const auto relative = inside(path).value();
  auto node = model_.find(relative);
  if (fails(node || (flags & O_CREAT) == 0 ? Operation::kOpen : Operation::kCreate)) {
    return -1;
  }
  const int descriptor = system_open(path, flags, mode);
  if (descriptor >= 0) {
    open_[descriptor] = node ? node : model_.create(relative, /*is_folder=*/false);
  }
  return descriptor;
}

ssize_t FaultyDisk::read(int descriptor, void* into, size_t size, off_t offset) {
  return fails(Operation::kRead) ? -1 : system_read(descriptor, into, size, offset);
}

ssize_t FaultyDisk::write(int descriptor, const iovec* parts, int count, off_t offset) {
  const bool was_struck = struck_;
  const bool failed = fails(Operation::kWrite);
  const int error = errno;
  std::string bytes = text_of(parts, count);
  const bool dies = failed && !was_struck && fault_.kind == DiskFault::Kind::kDeath;
  const bool fills_up = failed && !was_struck && fault_.kind == DiskFault::Kind::kFull && bytes.size() > 1;
  const bool is_short = fault_.kind == DiskFault::Kind::kShortWrite && !was_struck && bytes.size() > 1 &&
                        operations_ >= fault_.at_operation;
  if (failed && !dies && !fills_up) {
    return -1;
  }
  if (dies) {
    bytes.resize(below(bytes.size() + 1));
  } else if (fills_up || is_short) {
    bytes.resize(1 + below(bytes.size() - 1));
    struck_ = true;
  }
  const iovec part{bytes.data(), bytes.size()};
  const ssize_t written = system_write(descriptor, &part, 1, offset);
  if (written > 0) {
    bytes.resize(static_cast<size_t>(written));
    DiskModel::write(*open_.at(descriptor), static_cast<uint64_t>(offset), bytes);
  }
  errno = error;
  return dies ? -1 : written;
}

int FaultyDisk::truncate(int descriptor, off_t size) {
  const int done = fails(Operation::kTruncate) ? -1 : system_truncate(descriptor, size);
  if (done == 0) {
    DiskModel::truncate(*open_.at(descriptor), static_cast<uint64_t>(size));
  }
  return done;
}

int FaultyDisk::sync(int descriptor) {
  if (fails(Operation::kSync)) {
    return -1;
  }
  DiskModel::sync(*open_.at(descriptor));
  return 0;
}

int FaultyDisk::rename(const char* from, const char* to) {
  const int done = fails(Operation::kRename) ? -1 : system_rename(from, to);
  if (done == 0) {
    model_.rename(inside(from).value(), inside(to).value());
  }
  return done;
}

int FaultyDisk::link(const char* from, const char* to) {
  const int done = fails(Operation::kLink) ? -1 : system_link(from, to);
  if (done == 0) {
    model_.link(inside(from).value(), inside(to).value());
  }
  return done;
}

int FaultyDisk::remove(const char* path) {
  const auto relative = inside(path).value();
  const auto node = model_.find(relative);
  if (!node) {
    errno = ENOENT;
    return -1;
  }
  const int done = fails(Operation::kRemove) ? -1 : system_remove(path, node->is_folder);
  if (done == 0) {
    model_.remove(relative);
  }
  return done;
}

int FaultyDisk::make_folder(const char* path, mode_t mode) {
  const int done = fails(Operation::kMakeFolder) ? -1 : system_make_folder(path, mode);
  if (done == 0) {
    model_.create(inside(path).value(), /*is_folder=*/true);
  }
  return done;
}

int FaultyDisk::close(int descriptor) {
  open_.erase(descriptor);
  return system_close(descriptor);
}

}  // namespace troupe::testing
