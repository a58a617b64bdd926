#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>
#include <string>

#include "tests/integration/stored_run.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/log/event_log_verify.h"

namespace troupe::testing {

using Random = std::mt19937_64;

inline uint64_t below(uint64_t bound, Random& random) {
  return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random);
}

/// In memory where the system has such a folder: renames and truncations make others write to the device.
inline std::filesystem::path fast_folder() {
  const std::filesystem::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

inline bool any_temporary(const std::filesystem::path& folder) {
  const auto entries = std::filesystem::recursive_directory_iterator(folder);
  return std::any_of(begin(entries), end(entries), [](const auto& entry) { return is_temporary_name(entry.path()); });
}

/// A run on disks that fail, process after process, up to one that nothing happens to.
class FaultyRun {
 public:
  explicit FaultyRun(uint64_t seed) : random_(seed), run_(seed) {
    std::filesystem::create_directories(disk_folder() / "home");
    disk_.emplace(disk_folder(), random_());
  }

  /// A process, and what becomes of it; whether the fault struck.
  bool suffer(const DiskFault& fault) {
    const bool left_before = any_temporary(disk_folder());
    disk_->plan(fault);
    try {
      run_.run_process(run_dir());
    } catch (const IoError& error) {
      CHECK(disk_->struck());
      CHECK(std::string(error.what()).find(disk_folder().string()) != std::string::npos);
    }
    const bool struck = disk_->struck();
    CHECK((struck || !run_.passed_over()));
    faults_ += struck ? 1 : 0;
    const bool died = struck && fault.kind == DiskFault::Kind::kDeath;
    disk_->plan({});
    check();
    if (!died && !left_before) {
      CHECK_FALSE(any_temporary(disk_folder()));
    }
    return struck;
  }

  /// What is on the disk after it comes to be all that there is.
  void fail_power() {
    ++number_;
    ++faults_;
    disk_->write_image(disk_folder());
    disk_.reset();
    disk_.emplace(disk_folder(), random_());
    check();
  }

  /// What is left is a run that goes on.
  void end() {
    disk_->plan({});
    run_.run_process(run_dir());
    check();
    CHECK_FALSE(any_temporary(run_dir()));
    const auto report = verify_event_log(run_dir() / "events");
    CHECK_MESSAGE(report.sound(), (report.sound() ? "" : report.damages.front().text()));
    CHECK(report.ended);
  }

  std::filesystem::path run_dir() const { return disk_folder() / "home" / "runs" / "r1"; }
  uint64_t faults() const { return faults_; }
  /// What lies in the folder has no faults from here on.
  void release() { disk_.reset(); }

 private:
  std::filesystem::path disk_folder() const { return folder_.path() / std::to_string(number_); }
  void check() const { CHECK(run_.broken_promise(run_dir()) == ""); }

  TemporaryFolder folder_{fast_folder()};
  Random random_;
  int number_ = 0;
  StoredRun run_;
  std::optional<FaultyDisk> disk_;
  uint64_t faults_ = 0;
};

}  // namespace troupe::testing
