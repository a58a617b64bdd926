#pragma once

#include <atomic>
#include <caf/actor.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "troupe/actors/callback/callback_actor.h"
#include "troupe/actors/mailbox/event_queue.h"
#include "troupe/actors/storage/checkpoint_actor.h"
#include "troupe/actors/storage/event_log_actor.h"

namespace troupe {

/// A callback as the relay knows it.
struct Subscriber {
  CallbackInfo info;
  std::shared_ptr<CallbackHost> host;
  caf::actor actor;
  bool shares_threads = false;  ///< With the other observers, rather than having a thread of its own.
};

// What the loop asks of the relay, beside an event.

/// Ask controllers about the event.
struct AskRequest : RelayRequest {
  std::vector<size_t> asked;  ///< Places of the subscribers. The caller works the lanes of the prompt ones off.
  std::shared_ptr<RoundCollector> round;
  std::shared_ptr<std::atomic<uint64_t>> seq;  ///< Takes the event's seq before the round is complete.
};
/// Have a callback lent to the loop, after the events before it.
struct LendRequest : RelayRequest {
  size_t subscriber = 0;
  std::shared_ptr<CallbackLoan> loan;
  std::shared_ptr<std::promise<std::shared_ptr<const RunState>>> run;
};
/// Write the checkpoint of a CheckpointTaken event.
struct CheckpointRequest : RelayRequest {
  std::shared_ptr<Snapshot> snapshot;
  bool weights_only = false;
};
struct RemoveCheckpointRequest : RelayRequest {
  std::string path;
  int saves_before = 1;  ///< As in RemoveCheckpointFile.
};
/// Tell when everything before it has been written to the log.
struct FlushRequest : RelayRequest {
  bool durable = false;
  std::shared_ptr<std::promise<void>> done;
};
/// Have every callback tell when it has taken the events before it.
struct DrainRequest : RelayRequest {
  std::shared_ptr<DrainCollector> drained;
};
/// Tell the state after everything before it.
struct RunStateRequest : RelayRequest {
  std::shared_ptr<std::promise<RunState>> state;
};

/// The trainer actor's work: gives every recorded event its seq, folds the run's state, and hands events on to the log
/// and to the callbacks, in batches. Runs on a thread of its own until its queue is closed; a thread that has to wait
/// for what the relay does may do it instead, which saves waking the relay's.
class Relay {
 public:
  struct Options {
    std::chrono::microseconds drain_every{1000};
    std::chrono::microseconds drain_every_when_idle{20000};
    std::chrono::microseconds stuck_after{1000000};
    std::chrono::microseconds health_every{10000000};
    size_t shared_threads = 2;                                 ///< That subscribers share.
    std::function<int64_t(const StepOutputs&)> bytes_of = {};  ///< Memory that they keep.
  };
  /// Gives a callback an actor with a thread of its own.
  using SpawnOwn = std::function<caf::actor(const std::shared_ptr<CallbackHost>&)>;

  /// `state` is what the log holds so far. `log` may be invalid: then nothing is logged.
  Relay(std::shared_ptr<EventQueue> queue, RunState state, std::vector<Subscriber> subscribers, caf::actor log,
        caf::actor checkpoints, std::shared_ptr<LogCredit> credit, std::shared_ptr<RunFailure> failure,
        SpawnOwn spawn_own, Options options);

  void run();
  /// When what has been accepted goes to the log and to the callbacks. Later: the relay's thread does it within a few
  /// milliseconds; the caller need not wake them.
  enum class HandOn { kNow, kLater };

  /// Does what there is to do in the queue. How many items that was, with those that had not been handed on before;
  /// none when the relay has failed, which is then the run's failure. Any thread: one at a time, a second one waits for
  /// the first.
  std::optional<size_t> work(HandOn hand_on = HandOn::kNow);
  /// Returns when what is being handed on has reached the log and the callbacks alike. Any thread but the relay's.
  void await_turn() { const std::lock_guard lock(working_); }

 private:
  void process(std::vector<QueueItem>& items, HandOn hand_on);
  void accept(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs = nullptr);
  void announce_callbacks();
  /// Gives the others threads of their own when hooks occupy all that they share.
  void relieve_shared_threads();
  void report_health();
  void fulfil(RelayRequest& request);
  void ask(AskRequest& request);
  void lend(LendRequest& request);
  void write_checkpoint(CheckpointRequest& request);
  /// Hands on what has been accepted: to the log, then to the callbacks.
  void hand_on();
  void hand_to_log();
  void hand_to_callbacks();
  void add_task(Subscriber& subscriber, std::function<void(CallbackHost&)> task);
  /// Whether something has been accepted and not handed on that the subscriber takes.
  bool has_something_for(const Subscriber& subscriber) const;
  std::shared_ptr<const RunState> snapshot();

  std::shared_ptr<EventQueue> queue_;
  std::mutex working_;            // Guards all that follows.
  std::vector<QueueItem> items_;  // Taken from the queue.
  bool failed_ = false;
  RunState state_;
  std::vector<Subscriber> subscribers_;
  caf::actor log_;
  caf::actor checkpoints_;
  std::shared_ptr<LogCredit> credit_;
  std::shared_ptr<RunFailure> failure_;
  SpawnOwn spawn_own_;
  Options options_;

  EventTypeSet taken_;             // By any callback.
  EventTypeSet taken_with_state_;  // By a hook that takes the RunState.
  bool announced_ = false;
  bool ended_ = false;       // RunEnded has been accepted.
  uint64_t elapsed_us_ = 0;  // Of the last event of the loop.
  EventPtr last_event_;
  std::shared_ptr<const RunState> last_snapshot_;
  std::vector<EventPtr> to_log_;
  std::vector<Delivery> to_callbacks_;
  std::chrono::steady_clock::time_point health_reported_at_;
  bool health_changed_ = false;  // Something has been handed to callbacks since.
};

}  // namespace troupe
