#pragma once

#include <sys/resource.h>

namespace troupe {

/// While it lives, no file of this process grows beyond `bytes`: writes fail with EFBIG, as on a full disk with ENOSPC,
/// where somebody keeps SIGXFSZ from ending the process, as the Trainer does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace troupe
