#pragma once

#include <atomic>
#include <memory>

#include "troupe/actors/mailbox/event_queue.h"
#include "troupe/runtime/event/user_event.h"

namespace troupe {

/// What an observer emits its own events through. While events are delivered to it again it is muted: what it emits has
/// been emitted.
class CallbackOutbox : public Outbox {
 public:
  CallbackOutbox(std::string state_key, std::shared_ptr<EventQueue> queue)
      : state_key_(std::move(state_key)), queue_(std::move(queue)) {}

  void emit(v1::UserEvent user_event) override {
    if (muted_.load(std::memory_order_relaxed)) {
      return;
    }
    user_event.set_from(state_key_);
    auto event = std::make_shared<Event>();
    *event->mutable_callback_emitted()->mutable_event() = std::move(user_event);
    queue_->push(std::move(event));
  }
  void mute(bool muted) { muted_.store(muted, std::memory_order_relaxed); }

 private:
  const std::string state_key_;
  const std::shared_ptr<EventQueue> queue_;
  std::atomic<bool> muted_{false};
};

}  // namespace troupe
