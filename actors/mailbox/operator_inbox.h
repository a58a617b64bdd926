#pragma once

#include <troupe/v1/event.pb.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "troupe/runtime/event/message_texts.h"

namespace troupe {

/// Commands of operators on their way to the loop, which takes them at batch boundaries. Any thread sends.
class OperatorInbox {
 public:
  static constexpr size_t kCommandsMax = 1024;

  /// False when too many wait already. Texts in it that are no UTF-8 are made so.
  bool send(v1::InputRecorded input) {
    repair_texts(input);
    const std::lock_guard lock(mutex_);
    if (inputs_.size() >= kCommandsMax) {
      return false;
    }
    inputs_.push_back(std::move(input));
    any_.store(true, std::memory_order_release);
    arrived_.notify_all();
    return true;
  }
  bool any() const { return any_.load(std::memory_order_acquire); }
  std::vector<v1::InputRecorded> take() {
    const std::lock_guard lock(mutex_);
    any_.store(false, std::memory_order_release);
    return std::exchange(inputs_, {});
  }
  void wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, patience, [&] { return !inputs_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<v1::InputRecorded> inputs_;
  std::atomic<bool> any_{false};
};

}  // namespace troupe
