#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// One answer from each of several actors, for a thread that waits for them. A late answer lands in an object that
/// nobody reads any more: share it by shared_ptr.
template <class Answer>
class Collector {
 public:
  explicit Collector(std::vector<std::string> expected) : missing_(std::move(expected)) {}

  /// Any thread. An answer of somebody who is not expected, or a second one, is dropped.
  void add(const std::string& from, Answer answer) {
    const std::lock_guard lock(mutex_);
    const auto place = std::find(missing_.begin(), missing_.end(), from);
    if (place == missing_.end()) {
      return;
    }
    missing_.erase(place);
    answers_.emplace_back(from, std::move(answer));
    if (missing_.empty()) {
      complete_.notify_all();
    }
  }

  /// Expects nothing of `from` any more. False when it has answered already.
  bool drop(const std::string& from) {
    const std::lock_guard lock(mutex_);
    return std::erase(missing_, from) > 0;
  }

  /// Waits until everybody has answered, for at most `patience`. Returns those who have not.
  std::vector<std::string> wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    complete_.wait_for(lock, patience, [&] { return missing_.empty(); });
    return missing_;
  }

  /// The answers so far, in the order in which they came.
  std::vector<std::pair<std::string, Answer>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable complete_;
  std::vector<std::string> missing_;
  std::vector<std::pair<std::string, Answer>> answers_;
};

}  // namespace troupe
