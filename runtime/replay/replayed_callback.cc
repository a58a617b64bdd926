#include "troupe/runtime/replay/replayed_callback.h"

#include <utility>

#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/log/missed_events.h"

namespace troupe {
namespace {

/// What an observer emits has been emitted, or never was.
class SilentOutbox : public Outbox {
 public:
  void emit(v1::UserEvent /*event*/) override {}
};

}  // namespace

ReplayedCallback::ReplayedCallback(std::shared_ptr<Callback> callback, Start start, const LogFacts* facts)
    : callback_(std::move(callback)),
      start_(std::move(start)),
      facts_(facts),
      schedule_(callback_->info().ask_when, start_.run.position(), start_.decided),
      base_run_(start_.run),
      base_state_(start_.state) {
  callback_->set_outbox(std::make_shared<SilentOutbox>());
}

bool ReplayedCallback::try_hook(const Event& event, const RunState& run, std::string& error) {
  try {
    callback_->observe({event, run, nullptr});
  } catch (...) {
    error = current_exception_text();
    return false;
  }
  return true;
}

std::string ReplayedCallback::observe(const Event& event, LogPlace place, const RunState& run) {
  const auto& info = callback_->info();
  if (detached_ || failure_ || !info.observes[event.body_case()]) {
    return {};
  }
  if (facts_ != nullptr && facts_->skipped(place, info.state_key)) {
    if (!info.policy.redeliver) {  // The restart began from its state, without what had come since.
      begin_again();
    }
    return {};
  }
  std::string error;
  if (!try_hook(event, run, error)) {
    return deal_with_failure(event, place, run, std::move(error));
  }
  if (info.decides() && recorded_failure(place)) {
    return "its hook returned";
  }
  return {};
}

std::string ReplayedCallback::deal_with_failure(const Event& event, LogPlace place, const RunState& run,
                                                std::string error) {
  const bool recorded = recorded_failure(place);
  if (info().decides()) {
    failure_ = event_info(event.body_case()).name + ": " + error;
    detached_ = info().policy.on_failure == FailurePolicy::kDetach;
    return recorded ? std::string() : "its hook threw: " + error;
  }
  if (recorded) {
    try {
      begin_again();
      deliver_again({place.incarnation, place.seq - 1});
      callback_->observe({event, run, nullptr});
      return {};
    } catch (...) {
      error = current_exception_text();
    }
  }
  detached_ = true;
  return "its hook threw: " + error;
}

void ReplayedCallback::begin_again() {
  if (!callback_->renew()) {
    return;
  }
  callback_->set_run_directory(start_.scratch);
  callback_->set_outbox(std::make_shared<SilentOutbox>());
  if (base_state_) {
    callback_->load_state_dict(*base_state_);
  }
}

void ReplayedCallback::deliver_again(LogPlace until) {
  RunState run = base_run_;
  MissedEvents log(start_.events_dir);
  log.read(run.seq(), until.seq, [&](const EventPtr& event) {
    run.apply(*event);
    const bool given_up = facts_->skipped({until.incarnation, event->seq()}, info().state_key);
    if (info().observes[event->body_case()] && !given_up) {
      callback_->observe({*event, run, nullptr});
    }
  });
}

ReplayedAnswer ReplayedCallback::decide(const Event& event, const RunState& run) {
  ReplayedAnswer answer;
  answer.error = failure_;
  if (!failure_) {
    try {
      Control control(run, event.elapsed_us());
      callback_->control(event, control);
      answer.commands = control.take_commands();
    } catch (...) {
      answer.error = current_exception_text();
    }
  }
  return answer;
}

std::optional<StateDict> ReplayedCallback::capture(const RunState& run) {
  if (!info().stateful || detached_ || failure_) {
    return std::nullopt;
  }
  try {
    base_state_ = callback_->state_dict();
  } catch (...) {  // The run was without its state here, too, or the comparison tells.
    return std::nullopt;
  }
  base_run_ = run;
  return base_state_;
}

}  // namespace troupe
