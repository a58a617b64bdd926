#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "troupe/runtime/callback/callback.h"

namespace troupe {

/// A callback on loan to the loop's thread.
class CallbackLoan {
 public:
  /// Lends it, and returns when it has been given back. Null: there is none to lend. The callback's thread.
  void lend(Callback* callback);
  /// Waits for at most `patience`; false when it has not been lent by then. The loop's thread, as the others.
  bool wait(std::chrono::milliseconds patience);
  Callback* callback() const { return callback_; }
  void give_back();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Callback* callback_ = nullptr;
  bool lent_ = false;
  bool returned_ = false;
};

}  // namespace troupe
