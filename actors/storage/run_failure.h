#pragma once

#include <atomic>
#include <exception>
#include <mutex>

namespace troupe {

/// Where an actor that cannot go on (the log's disk is full) tells the loop, which fails the run at its next event.
class RunFailure {
 public:
  /// Any thread; the first exception stays.
  void set(std::exception_ptr exception) {
    const std::lock_guard lock(mutex_);
    if (!failed()) {
      exception_ = std::move(exception);
      failed_.store(true, std::memory_order_release);
    }
  }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  /// Throws what was set, if anything was.
  void rethrow_if_failed() const {
    if (failed()) {
      const std::lock_guard lock(mutex_);
      std::rethrow_exception(exception_);
    }
  }

 private:
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::exception_ptr exception_;
};

}  // namespace troupe
