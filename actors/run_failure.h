#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace troupe {

/// Where an actor that cannot go on (the log's disk is full) tells the loop, which fails the run at its next event.
class RunFailure {
 public:
  /// Any thread; the first message stays.
  void set(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (!failed_.load(std::memory_order_relaxed)) {
      message_ = message;
      failed_.store(true, std::memory_order_release);
    }
  }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  std::string message() const {
    const std::lock_guard lock(mutex_);
    return message_;
  }

 private:
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::string message_;
};

}  // namespace troupe
