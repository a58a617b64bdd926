// How a callback host deals with a hook that threw. The hooks' usual course is callback_host.cc.
#include <algorithm>

#include "troupe/actors/callback/callback_host.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {

void CallbackHost::read_again(MissedEvents& log, uint64_t after_seq, uint64_t until_seq,
                              const std::function<void(const Delivery&)>& take) {
  if (info().run_state.none()) {
    log.read(after_seq, until_seq, [&](const EventPtr& event) {
      if (info().observes[event->body_case()]) {
        take({event, nullptr, nullptr, 0});
      }
    });
    return;
  }
  RunState run;
  for (const auto* known : {&base_.run, &last_run_}) {
    if (*known && (*known)->seq() <= after_seq && (*known)->seq() >= run.seq()) {
      run = **known;
    }
  }
  log.read(run.seq(), until_seq, [&](const EventPtr& event) {
    run.apply(*event);
    const EventType type = event->body_case();
    if (event->seq() > after_seq && info().observes[type]) {
      take({event, info().run_state[type] ? std::make_shared<const RunState>(run) : nullptr, nullptr, 0});
    }
  });
}

void CallbackHost::note_failure(const Event& event, const std::string& message) {
  counters_.failures.fetch_add(1, std::memory_order_relaxed);
  const std::string place = event.body_case() == Event::BODY_NOT_SET ? "" : event_info(event.body_case()).name + ": ";
  auto report_of = std::make_shared<Event>();
  auto* failed = report_of->mutable_callback_failed();
  failed->set_state_key(info().state_key);
  failed->set_event_seq(event.seq());
  failed->set_message(place + message);
  report(std::move(report_of));
  ++failures_at_[event.seq()];
  if (info().decides()) {  // The run needs its decisions: it fails at the next one, or goes on without it.
    failure_ = place + message;
  }
}

/// Whether an event that failed is not to be tried again.
bool CallbackHost::given_up(const Event& event) const {
  constexpr int kTries = 2;
  const auto found = failures_at_.find(event.seq());
  const bool once_only = event.seq() == 0 || !info().policy.redeliver;
  return found != failures_at_.end() && found->second >= (once_only ? 1 : kTries);
}

void CallbackHost::recover(const Delivery& failed) {
  const Event& event = *failed.event;
  if (info().decides()) {
    if (info().policy.on_failure == FailurePolicy::kDetach) {
      detach("its hook failed");
    }
    return;
  }
  while (bring_back()) {
    if (given_up(event)) {
      counters_.skipped.fetch_add(1, std::memory_order_relaxed);
      auto report_of = std::make_shared<Event>();
      report_of->mutable_callback_event_skipped()->set_state_key(info().state_key);
      report_of->mutable_callback_event_skipped()->set_event_seq(event.seq());
      report(std::move(report_of));
      last_seq_ = std::max(last_seq_, event.seq());
      failures_at_.erase(0);  // Transient events share it.
      return;
    }
    if (observe(failed)) {
      return;
    }
  }
  const auto restarts = counters_.restarts.load();
  detach(restarts == 0 ? "its hook failed, and it cannot be restarted"
                       : "its hooks failed again after " + std::to_string(restarts) + " restarts");
}

/// Makes the callback anew and brings it up to the event before the one that failed. False when that is out of
/// restarts.
bool CallbackHost::bring_back() {
  while (counters_.restarts < static_cast<uint64_t>(info().policy.max_restarts.value_or(0))) {
    counters_.restarts.fetch_add(1);
    try {
      if (!callback_->renew()) {
        return false;
      }
      callback_->set_run_directory(surroundings_.run_directory);
      callback_->set_outbox(outbox_);
      if (base_.state) {
        callback_->load_state_dict(*base_.state);
      }
    } catch (...) {
      note_failure(Event(), "restarting: " + current_exception_text());
      continue;
    }
    auto restarted = std::make_shared<Event>();
    restarted->mutable_callback_restarted()->set_state_key(info().state_key);
    restarted->mutable_callback_restarted()->set_from_seq(info().policy.redeliver ? base_.seq : last_seq_);
    report(std::move(restarted));
    if (!info().policy.redeliver || redeliver()) {
      return true;
    }
  }
  return false;
}

bool CallbackHost::redeliver() {
  const uint64_t until_seq = last_seq_;
  outbox_->mute(true);
  bool delivered = true;
  try {
    surroundings_.flush_log();
    MissedEvents log(RunPaths{surroundings_.run_directory}.events());
    read_again(log, base_.seq, until_seq, [&](const Delivery& delivery) {
      if (delivered && !given_up(*delivery.event)) {
        delivered = observe(delivery);
      }
    });
  } catch (...) {
    note_failure(Event(), "reading its events from the log: " + current_exception_text());
    delivered = false;
  }
  outbox_->mute(false);
  last_seq_ = until_seq;
  return delivered;
}

void CallbackHost::detach(const std::string& reason) {
  if (lane_.detached()) {
    return;
  }
  lane_.detach();
  auto event = std::make_shared<Event>();
  event->mutable_callback_detached()->set_state_key(info().state_key);
  event->mutable_callback_detached()->set_reason(reason);
  report(std::move(event));
}

}  // namespace troupe
