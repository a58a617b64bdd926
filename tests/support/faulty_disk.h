#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string_view>

#include "tests/support/disk_model.h"

namespace troupe::testing {

/// What goes wrong, once. Operations count from 1, from FaultyDisk::plan on.
struct DiskFault {
  enum class Kind {
    kNone,
    kError,       ///< The operation fails with an error that the system may give for it.
    kShortWrite,  ///< The first write from the operation on takes only some of the bytes.
    kFull,        ///< From the operation on there is no space, for as many `operations`; the first write is short.
    kDeath,       ///< The operation and all that follow fail and change nothing; a write may have taken some bytes.
  };
  Kind kind = Kind::kNone;
  uint64_t at_operation = 0;
  uint64_t operations = 1;
};

/// The disk below one folder, with faults. While it lives, the calls by which this process changes, reads and syncs
/// what lies there (open, pread, pwritev, ftruncate, fsync, rename, link, unlink, remove, mkdir, close) come here, in
/// an executable that links faulty_disk_calls.cc: its own definitions win over those of the C library. They are carried
/// out on the real files, which are what a process sees; fsync only tells the model of the disk, which knows what a
/// power failure leaves. Nothing outside of the folder is touched. One at a time, for one thread.
class FaultyDisk {
 public:
  /// What lies in `folder` is durable.
  FaultyDisk(std::filesystem::path folder, uint64_t seed);
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// From here on; a process that was dead is another one.
  void plan(const DiskFault& fault);
  /// Whether what was planned has happened.
  bool struck() const { return struck_; }
  /// Since plan().
  uint64_t operations() const { return operations_; }

  /// Makes the folder `target` what the folder is after a power failure now.
  void write_image(const std::filesystem::path& target) { model_.write_image(target, random_); }

  // The calls, as the system has them. Each says by errno what is wrong.
  int open(const char* path, int flags, mode_t mode);
  ssize_t read(int descriptor, void* into, size_t size, off_t offset);
  ssize_t write(int descriptor, const iovec* parts, int count, off_t offset);
  int truncate(int descriptor, off_t size);
  int sync(int descriptor);
  int rename(const char* from, const char* to);
  int link(const char* from, const char* to);
  int remove(const char* path);
  int make_folder(const char* path, mode_t mode);
  int close(int descriptor);

  /// The one that is installed, if `path` lies below its folder or `descriptor` was opened there; otherwise null.
  static FaultyDisk* of(const char* path);
  static FaultyDisk* of(int descriptor);

 private:
  enum class Operation { kOpen, kCreate, kRead, kWrite, kTruncate, kSync, kRename, kLink, kRemove, kMakeFolder };

  bool fails(Operation operation);
  int error_for(Operation operation);
  std::optional<std::filesystem::path> inside(std::string_view path) const;
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }

  std::filesystem::path folder_;
  std::mt19937_64 random_;
  DiskModel model_;
  std::map<int, DiskModel::NodePtr> open_;
  DiskFault fault_;
  uint64_t operations_ = 0;
  bool struck_ = false;
  bool dead_ = false;
};

}  // namespace troupe::testing
