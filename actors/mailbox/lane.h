#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "troupe/runtime/callback/callback.h"

namespace troupe {

class CallbackHost;

/// One event on its way to the callbacks. `run` is set where a hook takes it: the state exactly after the event.
struct Delivery {
  EventPtr event;
  std::shared_ptr<const RunState> run;
  std::shared_ptr<const StepOutputs> outputs;
  int64_t outputs_bytes = 0;
};
using DeliveryBatch = std::shared_ptr<const std::vector<Delivery>>;

/// Events that were dropped: those after `after_seq` up to `until_seq`, `events` of the callback's.
struct LaneGap {
  uint64_t after_seq = 0;
  uint64_t until_seq = 0;
  int64_t events = 0;
};

/// Some events to deliver, after a gap if there is one. Only those that the callback takes count.
struct LaneEvents {
  DeliveryBatch batch;
  size_t first = 0;  ///< Of the batch ...
  size_t last = 0;   ///< ... up to, not including, this one.
  int64_t events = 0;
  int64_t bytes = 0;
  std::optional<LaneGap> gap;
};
/// Something to do after every event up to `seq`.
struct LaneTask {
  uint64_t seq = 0;
  std::function<void(CallbackHost&)> run;
};
/// Events to read from the log: those after `after_seq` up to `until_seq`.
struct LaneCatchUp {
  uint64_t after_seq = 0;
  uint64_t until_seq = 0;
};
using LaneWork = std::variant<LaneEvents, LaneTask, LaneCatchUp>;

/// What is on its way to one callback, in order, in bounded memory: its policy says what becomes of events that there
/// is no room for. The relay adds, whoever runs the callback takes; tasks are always let in.
class Lane {
 public:
  /// Takes what `info` says of events and policy.
  explicit Lane(const CallbackInfo& info);

  /// The callback's state is that after `after_seq`: it starts by catching up with the log. Before anything is added.
  void start_behind(uint64_t after_seq, uint64_t until_seq);

  /// Adds the callback's events of a batch. True when nobody works the lane off: then somebody is to be woken.
  bool add(const DeliveryBatch& batch);
  bool add(LaneTask task);

  /// What is to be done next; nothing when the lane is empty: then the next add() says to wake somebody. To be called
  /// by one thread at a time.
  std::optional<LaneWork> take();
  /// The events of the work taken last have been delivered, or given up.
  void done(const LaneEvents& events);
  /// The events up to `until_seq` have been read from the log, `events` of them the callback's.
  void caught_up(uint64_t until_seq, int64_t events);

  /// From here on no event is let in, and those that wait are dropped uncounted. Tasks are not.
  void detach();
  bool detached() const { return detached_.load(std::memory_order_acquire); }

  /// Events that have not been delivered: in memory, and in the log alone.
  int64_t lag() const;
  /// Events that were dropped because there was no room.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  /// How many events wait in memory, those being delivered included.
  int64_t queued() const;

 private:
  struct Entry {
    LaneEvents events;  // Those left of a batch.
    std::optional<LaneTask> task;
  };
  LaneEvents mine(const DeliveryBatch& batch) const;
  bool schedule();
  bool over(int64_t events, int64_t bytes) const;
  void drop_oldest();
  void drop_front_event(LaneEvents& events, std::optional<LaneGap>& gap);
  void coalesce();
  void spill(const LaneEvents& events);
  LaneEvents take_some(LaneEvents& events) const;

  const EventTypeSet observes_;
  const EventTypeSet outputs_;
  const LanePolicy policy_;
  const int64_t events_max_;
  const int64_t bytes_max_;

  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  int64_t events_ = 0;  // In entries_, and taken but not done.
  int64_t bytes_ = 0;
  bool scheduled_ = false;  // Somebody works the lane off, or has been woken to.
  bool spilling_ = false;
  uint64_t spilled_after_seq_ = 0;
  uint64_t spilled_until_seq_ = 0;
  int64_t spilled_events_ = 0;
  std::atomic<uint64_t> dropped_{0};
  std::atomic<bool> detached_{false};
};

}  // namespace troupe
