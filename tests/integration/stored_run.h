#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "troupe/runtime/log/event_log_writer.h"

namespace troupe::testing {

/// Processes that store a run as a Trainer does, and what they were promised: events that are durable, checkpoints that
/// are saved. What storage may still hold is remembered too, so that anything else is found out.
class StoredRun {
 public:
  explicit StoredRun(uint64_t seed) : random_(seed) {}

  /// One process, which starts the run in `run_dir` or takes it up, appends events, saves checkpoints and removes older
  /// ones. Throws what the storage throws; std::logic_error when it goes on from less than was promised.
  void run_process(const std::filesystem::path& run_dir);

  /// The first promise that what lies in `run_dir` breaks; empty if it keeps them all.
  std::string broken_promise(const std::filesystem::path& run_dir) const;

  /// Whether the last process passed over a checkpoint that it could not read.
  bool passed_over() const { return passed_over_; }

 private:
  /// The file of one name: what it may hold, and whether it must be there.
  struct CheckpointPromise {
    std::set<LogPlace> may_be;
    bool must_be = false;
    bool superseded = false;  ///< By a process that could not read it.
  };

  EventLogWriter open_log(const std::filesystem::path& run_dir);
  void take_over_events(const std::filesystem::path& events_dir);
  LogPlace newest_promised() const;
  void go_back_to(LogPlace from);
  void append(EventLogWriter& log, Event event);
  void sync(EventLogWriter& log);
  void save(EventLogWriter& log, const std::filesystem::path& run_dir, const std::string& name);
  void remove_oldest(EventLogWriter& log, const std::filesystem::path& run_dir);
  std::string broken_log(const std::filesystem::path& run_dir, LogPlace& last) const;
  std::string broken_checkpoints(const std::filesystem::path& run_dir, LogPlace last) const;
  bool chance(int one_in) { return std::uniform_int_distribution<int>(1, one_in)(random_) == 1; }

  std::mt19937_64 random_;
  bool folders_ = false;
  bool config_ = false;
  bool passed_over_ = false;
  std::vector<std::string> events_;  // In the order of the log, as bytes.
  size_t durable_events_ = 0;
  std::map<std::string, CheckpointPromise> checkpoints_;  // By name.
};

}  // namespace troupe::testing
