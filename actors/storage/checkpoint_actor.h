#pragma once

#include <caf/event_based_actor.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "troupe/actors/callback/callback_host.h"
#include "troupe/actors/mailbox/event_queue.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"

namespace troupe {

struct Snapshot;  // runtime/module/snapshot.h

/// What belongs into every checkpoint of a run.
struct CheckpointContext {
  std::filesystem::path run_directory;
  std::string run_id;
  /// May be changed until the first checkpoint is asked for.
  std::shared_ptr<v1::Environment> environment = std::make_shared<v1::Environment>();
  std::function<void()> make_log_durable;  ///< Returns when the log up to now is on the device; may throw.
  /// Adds what a snapshot has to a checkpoint of which header.weights_only is set; `parts` then points into the
  /// snapshot.
  std::function<void(Snapshot&, CheckpointParts& parts)> add_snapshot;
};

/// A checkpoint to write: the copied state, and what the relay adds to it.
struct CheckpointJob {
  std::string path;  ///< As in CheckpointTaken.
  uint64_t seq = 0;
  bool weights_only = false;
  std::shared_ptr<Snapshot> snapshot;
  std::shared_ptr<const RunState> run_state;  ///< Just after CheckpointTaken.
  std::shared_ptr<StateCollector> callback_states;
  std::vector<std::shared_ptr<const CallbackHost>> stateful;  ///< Those that the states are of.
};

/// Snapshots that are not on disk yet. A snapshot is a copy of the whole state, so there are at most two: the loop
/// waits for a third.
class SnapshotSlots {
 public:
  /// False when none became free in time.
  bool take(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, patience, [&] { return free_ > 0; })) {
      return false;
    }
    --free_;
    return true;
  }
  void give_back() {
    const std::lock_guard lock(mutex_);
    ++free_;
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  int free_ = 2;
};

// Messages of the checkpoint actor.
struct WriteCheckpoint {
  std::shared_ptr<CheckpointJob> job;
};
struct RemoveCheckpointFile {
  std::string path;
  int saves_before;  ///< The file stays unless this many last saves are all durable.
};
struct FinishCheckpoints {
  /// Why the checkpoint that was asked for last is not there; empty when it is, or none was asked for.
  std::shared_ptr<std::promise<std::string>> failure;
};

}  // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::WriteCheckpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::RemoveCheckpointFile)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::FinishCheckpoints)

namespace troupe {

/// Writes checkpoint files, one after the other, on a thread of its own, and owns the snapshots while it does. A
/// failure is an event and a warning, and training goes on; files are removed only while the last one asked for is
/// durable.
class CheckpointActor : public caf::event_based_actor {
 public:
  CheckpointActor(caf::actor_config& config, CheckpointContext context, std::shared_ptr<EventQueue> queue,
                  std::shared_ptr<SnapshotSlots> slots);

  caf::behavior make_behavior() override;

 private:
  void write(const CheckpointJob& job);
  void save(const CheckpointJob& job);
  CheckpointParts parts_of(const CheckpointJob& job);
  std::vector<v1::CallbackState> callback_states(const CheckpointJob& job);
  void remove(const RemoveCheckpointFile& message);
  std::filesystem::path resolve(const std::string& path) const { return context_.run_directory / path; }

  CheckpointContext context_;
  std::shared_ptr<EventQueue> queue_;
  std::shared_ptr<SnapshotSlots> slots_;
  std::set<std::string> late_;  // Callbacks whose state did not come in time for the last checkpoint.
  std::string newest_failure_;  // Of the checkpoint that was asked for last; empty: none.
  int durable_in_a_row_ = std::numeric_limits<int>::max() / 2;  // Saves since the last one that failed.
};

}  // namespace troupe
