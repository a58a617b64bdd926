#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace troupe {

/// How many events are on their way to one callback, and what became of them. The relay adds, the callback's actor
/// takes away.
class Lane {
 public:
  /// `events_max` bounds the memory that a slow callback can hold.
  explicit Lane(int64_t events_max) : events_max_(events_max) {}

  bool has_room(int64_t events) const {
    return queued_.load(std::memory_order_acquire) + events <= events_max_ || queued_ == 0;
  }
  /// Waits for room for at most `patience`; false when there still is none.
  bool wait_for_room(int64_t events, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return room_.wait_for(lock, patience, [&] { return has_room(events); });
  }
  void add(int64_t events) { queued_.fetch_add(events, std::memory_order_relaxed); }
  void done(int64_t events) {
    {
      const std::lock_guard lock(mutex_);
      queued_.fetch_sub(events, std::memory_order_release);
    }
    room_.notify_one();
  }
  void count_dropped(int64_t events) { dropped_.fetch_add(static_cast<uint64_t>(events), std::memory_order_relaxed); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  /// From here on nothing is delivered any more.
  void detach() { detached_.store(true, std::memory_order_release); }
  bool detached() const { return detached_.load(std::memory_order_acquire); }

 private:
  const int64_t events_max_;
  std::atomic<int64_t> queued_{0};
  std::atomic<uint64_t> dropped_{0};
  std::atomic<bool> detached_{false};
  std::mutex mutex_;
  std::condition_variable room_;
};

}  // namespace troupe
