#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/integration/faulty_run.h"
#include "tests/integration/stored_checkpoint.h"
#include "tests/support/log_events.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/run_fork.h"

namespace troupe::testing {

/// Forks of a run with a checkpoint at seq 3 and one at seq 5, with a log of two segments and with a logger's file, on
/// a disk that fails.
class FaultyFork {
 public:
  explicit FaultyFork(uint64_t seed) : random_(seed) {
    const RunPaths run{source()};
    std::vector<Event> events{run_started_event(), batch_event(2, 1), taken_event(3, "a"), batch_event(4, 2)};
    events.push_back(run_resumed_event(2, 3, 1));
    events.push_back(taken_event(5, "b"));
    events.push_back(batch_event(6, 2));
    write_log(run.events(), events);
    write_checkpoint_at({1, 3}, run.checkpoints() / "a", nullptr);
    write_checkpoint_at({2, 5}, run.checkpoints() / "b", nullptr);
    std::filesystem::create_directories(run.root / "logger");
    write_file_atomically(run.root / "logger" / "metrics.csv", kMetrics);
    disk_.emplace(disk_folder(), random_());
  }

  /// A process that forks from the newer checkpoint, what becomes of it and, after a power failure, of the fork;
  /// whether the fault struck.
  bool suffer(const DiskFault& fault) {
    disk_->plan(fault);
    bool committed = false;
    try {
      fork();
      committed = true;
    } catch (const IoError& error) {
      CHECK(disk_->struck());
      CHECK(std::string(error.what()).find(disk_folder().string()) != std::string::npos);
    }
    const bool struck = disk_->struck();
    disk_->plan({});
    check(committed);
    if (fault.kind != DiskFault::Kind::kDeath) {
      CHECK_FALSE(any_temporary(disk_folder()));
    }
    ++number_;
    disk_->write_image(disk_folder());
    disk_.emplace(disk_folder(), random_());
    check(committed);
    return struck;
  }

  /// There is a fork in the end.
  void end() {
    if (!has_run(target())) {
      fork();
    }
    check(/*committed=*/true);
    CHECK_FALSE(any_temporary(disk_folder()));
  }

 private:
  static constexpr const char* kMetrics = "step,loss\n1,0.5\n";

  static Event taken_event(uint64_t seq, const std::string& name) {
    Event event;
    event.set_seq(seq);
    event.mutable_checkpoint_taken()->set_path("checkpoints/" + name);
    return event;
  }
  std::filesystem::path disk_folder() const { return folder_.path() / std::to_string(number_); }
  std::filesystem::path source() const { return disk_folder() / "first"; }
  std::filesystem::path target() const { return disk_folder() / "second"; }

  void fork() const {
    const auto checkpoint = RunPaths{source()}.checkpoints() / "b";
    CheckpointData data = read_checkpoint(checkpoint);
    for (const char* name : {"a", "b"}) {
      data.run_state.add_checkpoints()->set_path(std::string("checkpoints/") + name);
    }
    RunFork(source(), checkpoint, data, target()).commit();
  }

  static LogPlace end_of_log(const std::filesystem::path& run) {
    EventLogReader reader(RunPaths{run}.events());
    for (Event event; reader.next(event);) {
    }
    return reader.sequence().place();
  }

  /// Both runs are whole, or there is no fork, where none was committed.
  void check(bool committed) const {
    CHECK((end_of_log(source()) == LogPlace{2, 6}));
    if (!committed && !std::filesystem::exists(target())) {
      return;
    }
    CHECK((end_of_log(target()) == LogPlace{2, 5}));
    for (const auto& run : {source(), target()}) {
      CHECK((read_checkpoint_place(RunPaths{run}.checkpoints() / "a") == LogPlace{1, 3}));
      CHECK((read_checkpoint_place(RunPaths{run}.checkpoints() / "b") == LogPlace{2, 5}));
      CHECK(read_file(run / "logger" / "metrics.csv") == kMetrics);
    }
  }

  TemporaryFolder folder_{fast_folder()};
  Random random_;
  int number_ = 0;
  std::optional<FaultyDisk> disk_;
};

}  // namespace troupe::testing
