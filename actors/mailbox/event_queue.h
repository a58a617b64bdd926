#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "troupe/runtime/event/event.h"

namespace troupe {

struct StepOutputs;

/// What the loop wants of the relay besides handing on an event; see relay.h.
struct RelayRequest {
  virtual ~RelayRequest() = default;
};

/// An event, a request about it, or both.
struct QueueItem {
  std::shared_ptr<Event> event;
  std::shared_ptr<RelayRequest> request;
  std::shared_ptr<const StepOutputs> outputs = nullptr;  ///< Tensors beside the event.
};

/// The bounded buffer between those who emit and the relay. Pushing an event wakes nobody: the relay looks every
/// millisecond, sooner when it is asked something or the buffer fills. Any thread pushes, the relay alone takes.
class EventQueue {
 public:
  explicit EventQueue(size_t events_max) : events_max_(events_max) {}

  /// Hands an event over. Waits while the buffer is full; false once the queue is closed.
  bool push(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs = nullptr);
  /// Hands a request over, and wakes the relay unless the caller does the relay's work itself. Never waits; false once
  /// the queue is closed.
  bool push(QueueItem item, bool wakes = true);
  /// Hands over an event of an actor that the relay may be waiting for: never waits, as push of a request, but wakes
  /// nobody.
  bool push_unbounded(std::shared_ptr<Event> event);

  /// Waits until the relay is wanted, for at most `patience`. False when the queue is closed and empty.
  bool wait(std::chrono::microseconds patience);
  /// Moves everything to `items`, which must be empty. Never waits.
  void take(std::vector<QueueItem>& items);

  /// Lets no more in and wakes everybody.
  void close();

  /// How often push had to wait.
  uint64_t waits() const { return waits_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable emptied_;
  std::vector<QueueItem> items_;
  const size_t events_max_;
  bool urgent_ = false;
  bool closed_ = false;
  std::atomic<uint64_t> waits_{0};
};

}  // namespace troupe
