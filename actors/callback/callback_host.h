#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "troupe/actors/callback/callback_loan.h"
#include "troupe/actors/mailbox/callback_counters.h"
#include "troupe/actors/mailbox/callback_outbox.h"
#include "troupe/actors/mailbox/collector.h"
#include "troupe/actors/mailbox/event_queue.h"
#include "troupe/actors/mailbox/lane.h"
#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/log/missed_events.h"

namespace troupe {

/// What a controller answered: its commands, or the error that its hook ended with.
struct ControllerAnswer {
  std::vector<v1::Command> commands;
  std::optional<std::string> error;
  bool detached = false;  ///< It has been detached: it says nothing any more.
};
using RoundCollector = Collector<ControllerAnswer>;
using StateCollector = Collector<v1::CallbackState>;
using DrainCollector = Collector<bool>;

/// The state that a callback last had at a known place. Any thread.
class LastState {
 public:
  void set(v1::CallbackState state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }
  v1::CallbackState get() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  mutable std::mutex mutex_;
  v1::CallbackState state_;
};

/// Runs the hooks of one callback and keeps what they do from reaching anything else: what a callback actor is a shell
/// around. An observer that throws is made anew, gets its last saved state and the events since then from the log, and
/// the event that it failed at once more; then that event is skipped.
class CallbackHost {
 public:
  struct Surroundings {
    std::shared_ptr<EventQueue> queue;       ///< Takes the events about the callback itself.
    std::filesystem::path run_directory;     ///< With the log in events/.
    std::function<void()> flush_log;         ///< Returns when what was handed to the log is in its file.
    std::shared_ptr<const RunState> run;     ///< Where the run starts, or goes on.
    std::optional<v1::CallbackState> state;  ///< What the callback was loaded with.
  };

  CallbackHost(std::shared_ptr<Callback> callback, Surroundings surroundings);

  const CallbackInfo& info() const { return callback_->info(); }
  Lane& lane() { return lane_; }
  const CallbackCounters& counters() const { return counters_; }
  const LastState& last_state() const { return last_state_; }
  v1::CallbackHealth health() const;

  /// Works the lane off, for at most about `patience`. True when there is more. Any thread, one at a time: a second one
  /// waits for the first.
  bool work(std::chrono::microseconds patience);

  // Tasks for the lane.

  /// Runs the controller hook and answers, whatever happens.
  void decide(const Event& event, const RunState& run, RoundCollector& round);
  /// Answers with the state as it is after the event run.seq(); without one when the callback is detached.
  void capture(const std::shared_ptr<const RunState>& run, StateCollector& states);
  /// Lends the callback until it is given back.
  void lend(CallbackLoan& loan) { loan.lend(lane_.detached() || failure_ ? nullptr : callback_.get()); }

 private:
  /// A state, and the place where it was taken.
  struct Base {
    uint64_t seq = 0;
    std::shared_ptr<const RunState> run;  // Null: not known.
    std::optional<StateDict> state;       // Unset: as the callback was added.
  };

  void deliver(const LaneEvents& events);
  void catch_up(const LaneCatchUp& missed);
  /// Runs the hook; false when it threw.
  bool observe(const Delivery& delivery);
  /// The observer hook of an event threw: restarts the callback until it is past the event, or detaches it.
  void recover(const Delivery& failed);
  bool bring_back();
  bool redeliver();
  /// Reads events again, with the RunState after each where a hook takes it.
  void read_again(MissedEvents& log, uint64_t after_seq, uint64_t until_seq,
                  const std::function<void(const Delivery&)>& take);
  void note_failure(const Event& event, const std::string& message);
  bool given_up(const Event& event) const;
  void detach(const std::string& reason);
  std::optional<StateDict> state_after(const RunState& run);
  void report(std::shared_ptr<Event> event) { surroundings_.queue->push_unbounded(std::move(event)); }

  std::shared_ptr<Callback> callback_;
  Surroundings surroundings_;
  Lane lane_;
  CallbackCounters counters_;
  LastState last_state_;
  std::mutex working_;
  Base base_;
  uint64_t last_seq_;                         // Recorded event delivered last, or passed over.
  std::shared_ptr<const RunState> last_run_;  // Latest one that came with an event.
  std::map<uint64_t, int> failures_at_;       // By seq.
  std::optional<std::string> failure_;        // Of an observer hook of a controller: what it answers from then on.
  MissedEvents missed_;
  std::shared_ptr<CallbackOutbox> outbox_;
};

}  // namespace troupe
