#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe {

/// One answer from each of several actors, for a thread that waits for them. A late answer lands in an object that
/// nobody reads any more: share it by shared_ptr.
template <class Answer>
class Collector {
 public:
  explicit Collector(std::vector<std::string> expected) : missing_(std::move(expected)), complete_(missing_.empty()) {}

  /// Any thread. An answer of somebody who is not expected, or a second one, is dropped.
  void add(const std::string& from, Answer answer) {
    const std::lock_guard lock(mutex_);
    const auto place = std::find(missing_.begin(), missing_.end(), from);
    if (place == missing_.end()) {
      return;
    }
    missing_.erase(place);
    answers_.emplace_back(from, std::move(answer));
    note_missing();
  }

  /// Expects nothing of `from` any more. False when it has answered already.
  bool drop(const std::string& from) {
    const std::lock_guard lock(mutex_);
    const bool dropped = std::erase(missing_, from) > 0;
    note_missing();
    return dropped;
  }

  /// Waits until everybody has answered, for at most `patience`. Returns those who have not. Most answers come within
  /// microseconds: it looks for them for a while before it sleeps, since a sleeper has to be woken by who answers.
  std::vector<std::string> wait(std::chrono::milliseconds patience) {
    constexpr std::chrono::microseconds kAwake{50};
    const auto sleeps_at = std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(kAwake, patience);
    while (!complete_ && std::chrono::steady_clock::now() < sleeps_at) {
      std::this_thread::yield();
    }
    std::unique_lock lock(mutex_);
    completed_.wait_for(lock, patience, [&] { return missing_.empty(); });
    return missing_;
  }

  /// The answers so far, in the order in which they came.
  std::vector<std::pair<std::string, Answer>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  void note_missing() {
    if (missing_.empty()) {
      complete_ = true;
      completed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable completed_;
  std::vector<std::string> missing_;
  std::atomic<bool> complete_;  // Nobody is missing.
  std::vector<std::pair<std::string, Answer>> answers_;
};

}  // namespace troupe
