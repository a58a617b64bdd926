#include "troupe/actors/mailbox/event_queue.h"

namespace troupe {

bool EventQueue::push(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  std::unique_lock lock(mutex_);
  if (items_.size() >= events_max_) {
    waits_.fetch_add(1, std::memory_order_relaxed);
    urgent_ = true;
    filled_.notify_one();
    emptied_.wait(lock, [&] { return items_.size() < events_max_ || closed_; });
  }
  if (closed_) {
    return false;
  }
  items_.push_back({std::move(event), nullptr, std::move(outputs)});
  if (items_.size() == events_max_ / 2) {
    urgent_ = true;
    filled_.notify_one();
  }
  return true;
}

bool EventQueue::push(QueueItem item, bool wakes) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return false;
  }
  items_.push_back(std::move(item));
  if (wakes) {
    urgent_ = true;
    filled_.notify_one();
  }
  return true;
}

bool EventQueue::push_unbounded(std::shared_ptr<Event> event) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return false;
  }
  items_.push_back({std::move(event), nullptr});
  return true;
}

bool EventQueue::wait(std::chrono::microseconds patience) {
  std::unique_lock lock(mutex_);
  if (!urgent_ && !closed_) {
    filled_.wait_for(lock, patience, [&] { return urgent_ || closed_; });
  }
  return !items_.empty() || !closed_;
}

void EventQueue::take(std::vector<QueueItem>& items) {
  const std::lock_guard lock(mutex_);
  urgent_ = false;
  items.swap(items_);
  if (items.size() >= events_max_) {
    emptied_.notify_all();
  }
}

void EventQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  filled_.notify_all();
  emptied_.notify_all();
}

}  // namespace troupe
