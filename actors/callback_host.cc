#include "actors/callback_host.h"

#include <chrono>

#include "runtime/exception_text.h"

namespace troupe {
namespace {

/// Adds the time that it lives to a counter of microseconds.
class HookTimer {
 public:
  explicit HookTimer(v1::CallbackHealth& health) : health_(health), started_(std::chrono::steady_clock::now()) {}
  ~HookTimer() {
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
    health_.set_hook_us(health_.hook_us() + static_cast<uint64_t>(us));
  }
  HookTimer(const HookTimer&) = delete;
  HookTimer& operator=(const HookTimer&) = delete;

 private:
  v1::CallbackHealth& health_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace

CallbackHost::CallbackHost(std::shared_ptr<Callback> callback, std::shared_ptr<Lane> lane,
                           std::shared_ptr<EventQueue> queue)
    : callback_(std::move(callback)), lane_(std::move(lane)), queue_(std::move(queue)) {
  health_.set_state_key(info().state_key);
}

void CallbackHost::deliver(const std::vector<Delivery>& batch, int64_t events) {
  static const RunState no_run_state;
  const HookTimer timer(health_);
  for (const auto& [event, run] : batch) {
    if (lane_->detached() || failure_) {
      break;
    }
    if (!info().observes[event->body_case()]) {
      continue;
    }
    try {
      callback_->observe(*event, run ? *run : no_run_state);
      health_.set_delivered(health_.delivered() + 1);
    } catch (...) {
      fail(*event, current_exception_text());
    }
  }
  lane_->done(events);
}

void CallbackHost::fail(const Event& event, const std::string& message) {
  health_.set_failures(health_.failures() + 1);
  auto failed = std::make_shared<Event>();
  failed->mutable_callback_failed()->set_state_key(info().state_key);
  failed->mutable_callback_failed()->set_event_seq(event.seq());
  failed->mutable_callback_failed()->set_message(event_info(event.body_case()).name + ": " + message);
  queue_->push_unbounded(std::move(failed));
  if (info().controls.any()) {  // The run needs its decisions: it fails at the next one.
    failure_ = event_info(event.body_case()).name + ": " + message;
    return;
  }
  lane_->detach();
  auto detached = std::make_shared<Event>();
  detached->mutable_callback_detached()->set_state_key(info().state_key);
  detached->mutable_callback_detached()->set_reason("its hook failed");
  queue_->push_unbounded(std::move(detached));
}

void CallbackHost::decide(const Event& event, const RunState& run, RoundCollector& round) {
  ControllerAnswer answer;
  answer.error = failure_;
  if (failure_) {
    round.add(info().state_key, std::move(answer));
    return;
  }
  try {
    const HookTimer timer(health_);
    Control control(run);
    callback_->control(event, control);
    answer.commands = control.commands();
    health_.set_delivered(health_.delivered() + 1);
  } catch (...) {
    health_.set_failures(health_.failures() + 1);
    answer.error = current_exception_text();
  }
  round.add(info().state_key, std::move(answer));
}

void CallbackHost::capture(uint64_t seq, StateCollector& states) {
  v1::CallbackState state;
  state.set_state_key(info().state_key);
  state.set_seq(seq);
  try {
    if (!lane_->detached() && !failure_) {
      *state.mutable_state() = callback_->state_dict().proto();
    }
  } catch (...) {
    Event taken;
    taken.set_seq(seq);
    taken.mutable_checkpoint_taken();
    fail(taken, "state_dict: " + current_exception_text());
  }
  states.add(info().state_key, std::move(state));
}

void CallbackHost::report(HealthCollector& healths) const {
  v1::CallbackHealth health = health_;
  health.set_dropped(lane_->dropped());
  healths.add(info().state_key, std::move(health));
}

}  // namespace troupe
