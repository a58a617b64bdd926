// The C library's functions, as an executable that links this file has them: an open FaultyDisk gets what concerns it,
// the system everything else.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "tests/support/faulty_disk.h"
#include "tests/support/system_calls.h"

using troupe::testing::FaultyDisk;
using namespace troupe::testing;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved ones.
// NOLINTBEGIN(bugprone-exception-escape): the C library promises that these throw nothing; a test ends where it must.
extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FaultyDisk* disk = FaultyDisk::of(path);
  return disk != nullptr ? disk->open(path, flags, mode) : system_open(path, flags, mode);
}

ssize_t pread(int descriptor, void* into, size_t size, off_t offset) {
  FaultyDisk* disk = FaultyDisk::of(descriptor);
  return disk != nullptr ? disk->read(descriptor, into, size, offset) : system_read(descriptor, into, size, offset);
}

ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  FaultyDisk* disk = FaultyDisk::of(descriptor);
  return disk != nullptr ? disk->write(descriptor, parts, count, offset)
                         : system_write(descriptor, parts, count, offset);
}

int ftruncate(int descriptor, off_t size) noexcept {
  FaultyDisk* disk = FaultyDisk::of(descriptor);
  return disk != nullptr ? disk->truncate(descriptor, size) : system_truncate(descriptor, size);
}

int fsync(int descriptor) {
  FaultyDisk* disk = FaultyDisk::of(descriptor);
  return disk != nullptr ? disk->sync(descriptor) : system_sync(descriptor);
}

int rename(const char* from, const char* to) noexcept {
  FaultyDisk* disk = FaultyDisk::of(from);
  return disk != nullptr ? disk->rename(from, to) : system_rename(from, to);
}

int link(const char* from, const char* to) noexcept {
  FaultyDisk* disk = FaultyDisk::of(to);
  return disk != nullptr ? disk->link(from, to) : system_link(from, to);
}

int unlink(const char* path) noexcept {
  FaultyDisk* disk = FaultyDisk::of(path);
  return disk != nullptr ? disk->remove(path) : system_remove(path, /*is_folder=*/false);
}

int remove(const char* path) noexcept {
  if (FaultyDisk* disk = FaultyDisk::of(path)) {
    return disk->remove(path);
  }
  const int done = system_remove(path, /*is_folder=*/false);
  return done != 0 && errno == EISDIR ? system_remove(path, /*is_folder=*/true) : done;
}

int mkdir(const char* path, mode_t mode) noexcept {
  FaultyDisk* disk = FaultyDisk::of(path);
  return disk != nullptr ? disk->make_folder(path, mode) : system_make_folder(path, mode);
}

int close(int descriptor) {
  FaultyDisk* disk = FaultyDisk::of(descriptor);
  return disk != nullptr ? disk->close(descriptor) : system_close(descriptor);
}

}  // extern "C"
// NOLINTEND(bugprone-exception-escape)
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
