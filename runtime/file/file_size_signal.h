#pragma once

namespace troupe {

/// While one lives, SIGXFSZ does not end the process, if that is what it would do: a write beyond the limit of file
/// sizes (`ulimit -f`) fails with EFBIG, as one on a full disk does with ENOSPC. A handler of the program's own, or one
/// that it sets meanwhile, stays. Any number at a time, on any threads; the last one to go puts the default back.
class FileSizeSignalGuard {
 public:
  FileSizeSignalGuard();
  ~FileSizeSignalGuard();
  FileSizeSignalGuard(const FileSizeSignalGuard&) = delete;
  FileSizeSignalGuard& operator=(const FileSizeSignalGuard&) = delete;
};

}  // namespace troupe
