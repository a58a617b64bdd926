#include "troupe/actors/callback/callback_loan.h"

namespace troupe {

void CallbackLoan::lend(Callback* callback) {
  std::unique_lock lock(mutex_);
  callback_ = callback;
  lent_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return returned_; });
}

bool CallbackLoan::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return lent_; });
}

void CallbackLoan::give_back() {
  const std::lock_guard lock(mutex_);
  returned_ = true;
  changed_.notify_all();
}

}  // namespace troupe
