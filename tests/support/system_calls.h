#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

namespace troupe::testing {

// The system's calls, past the functions of the C library that FaultyDisk takes the place of.

inline int system_open(const char* path, int flags, mode_t mode) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

inline ssize_t system_read(int descriptor, void* into, size_t size, off_t offset) {
  return ::syscall(SYS_pread64, descriptor, into, size, offset);
}

inline ssize_t system_write(int descriptor, const iovec* parts, int count, off_t offset) {
  return ::syscall(SYS_pwritev, descriptor, parts, count, offset, 0L);
}

inline int system_truncate(int descriptor, off_t size) {
  return static_cast<int>(::syscall(SYS_ftruncate, descriptor, size));
}

inline int system_sync(int descriptor) {
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

inline int system_rename(const char* from, const char* to) {
  return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

inline int system_link(const char* from, const char* to) {
  return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

inline int system_remove(const char* path, bool is_folder) {
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0));
}

inline int system_make_folder(const char* path, mode_t mode) {
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

inline int system_close(int descriptor) {
  return static_cast<int>(::syscall(SYS_close, descriptor));
}

}  // namespace troupe::testing
