#include "troupe/actors/callback/callback_host.h"

#include <chrono>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {
namespace {

int64_t steady_now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// Adds the time that it lives to the callback's, and says that it is at work.
class WorkTimer {
 public:
  explicit WorkTimer(CallbackCounters& counters) : counters_(counters), started_us_(steady_now_us()) {
    counters_.working_since_us.store(started_us_, std::memory_order_relaxed);
  }
  ~WorkTimer() {
    counters_.working_since_us.store(0, std::memory_order_relaxed);
    counters_.hook_us.fetch_add(static_cast<uint64_t>(steady_now_us() - started_us_), std::memory_order_relaxed);
  }
  WorkTimer(const WorkTimer&) = delete;
  WorkTimer& operator=(const WorkTimer&) = delete;

 private:
  CallbackCounters& counters_;
  int64_t started_us_;
};

void add_one(std::atomic<uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

/// Runs one piece of work.
template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

CallbackHost::CallbackHost(std::shared_ptr<Callback> callback, Surroundings surroundings)
    : callback_(std::move(callback)),
      surroundings_(std::move(surroundings)),
      lane_(callback_->info()),
      last_seq_(surroundings_.run->seq()),
      missed_(RunPaths{surroundings_.run_directory}.events()),
      outbox_(std::make_shared<CallbackOutbox>(info().state_key, surroundings_.queue)) {
  base_ = {last_seq_, surroundings_.run, std::nullopt};
  if (surroundings_.state) {
    const auto& saved = *surroundings_.state;
    base_.state = StateDict(saved.state());
    if (saved.seq() < last_seq_) {  // It was behind when the checkpoint was written.
      lane_.start_behind(saved.seq(), last_seq_);
      base_.seq = last_seq_ = saved.seq();
      base_.run = nullptr;
    }
  }
  callback_->set_outbox(outbox_);
  if (info().stateful) {
    v1::CallbackState start;
    start.set_state_key(info().state_key);
    start.set_seq(base_.seq);
    *start.mutable_state() = callback_->state_dict().proto();
    last_state_.set(std::move(start));
  }
}

bool CallbackHost::work(std::chrono::microseconds patience) {
  const std::lock_guard lock(working_);
  const int64_t until_us = steady_now_us() + patience.count();
  while (auto next = lane_.take()) {
    const WorkTimer timer(counters_);
    std::visit(Overloaded{[&](const LaneEvents& events) { deliver(events); },
                          [&](const LaneCatchUp& missed) { catch_up(missed); },
                          [&](const LaneTask& task) { task.run(*this); }},
               *next);
    if (steady_now_us() >= until_us) {
      return true;
    }
  }
  return false;
}

void CallbackHost::deliver(const LaneEvents& events) {
  if (events.gap) {
    auto event = std::make_shared<Event>();
    auto* dropped = event->mutable_callback_events_dropped();
    dropped->set_state_key(info().state_key);
    dropped->set_after_seq(events.gap->after_seq);
    dropped->set_until_seq(events.gap->until_seq);
    dropped->set_events(static_cast<uint64_t>(events.gap->events));
    report(std::move(event));
  }
  for (size_t i = events.first; i < events.last && !lane_.detached() && !failure_; ++i) {
    const Delivery& delivery = (*events.batch)[i];
    if (info().observes[delivery.event->body_case()] && !observe(delivery)) {
      recover(delivery);
    }
  }
  lane_.done(events);
}

bool CallbackHost::observe(const Delivery& delivery) {
  static const RunState no_run_state;
  const Event& event = *delivery.event;
  try {
    callback_->observe({event, delivery.run ? *delivery.run : no_run_state, delivery.outputs.get()});
  } catch (...) {
    note_failure(event, current_exception_text());
    return false;
  }
  add_one(counters_.delivered);
  if (event.seq() != 0) {
    last_seq_ = event.seq();
  }
  if (delivery.run) {
    last_run_ = delivery.run;
  }
  return true;
}

void CallbackHost::catch_up(const LaneCatchUp& missed) {
  int64_t events = 0;
  try {
    surroundings_.flush_log();
    read_again(missed_, missed.after_seq, missed.until_seq, [&](const Delivery& delivery) {
      ++events;
      if (!lane_.detached() && !failure_ && !observe(delivery)) {
        recover(delivery);
      }
    });
  } catch (...) {
    note_failure(Event(), "reading its events from the log: " + current_exception_text());
    detach("its events could not be read from the log");
  }
  lane_.caught_up(missed.until_seq, events);
}

void CallbackHost::decide(const Event& event, const RunState& run, RoundCollector& round) {
  ControllerAnswer answer;
  answer.detached = lane_.detached();
  answer.error = failure_;
  if (!answer.detached && !answer.error) {
    try {
      Control control(run, event.elapsed_us());
      callback_->control(event, control);
      answer.commands = control.take_commands();
      add_one(counters_.delivered);
    } catch (...) {
      const std::string message = current_exception_text();
      if (info().policy.on_failure == FailurePolicy::kDetach) {
        note_failure(event, message);
        detach("its hook failed");
        answer.detached = true;
      } else {
        add_one(counters_.failures);
        answer.error = message;
      }
    }
  }
  round.add(info().state_key, std::move(answer));
}

std::optional<StateDict> CallbackHost::state_after(const RunState& run) {
  Event taken;  // What the state is asked for at.
  taken.set_seq(run.seq());
  taken.mutable_checkpoint_taken();
  for (int attempt = 0; attempt < 2 && !lane_.detached() && !failure_; ++attempt) {
    try {
      return callback_->state_dict();
    } catch (...) {
      note_failure(taken, "state_dict: " + current_exception_text());
    }
    const bool gives_up =
        info().decides() ? info().policy.on_failure == FailurePolicy::kDetach : attempt > 0 || !bring_back();
    if (gives_up) {
      detach("its state_dict failed");
    }
  }
  return std::nullopt;
}

void CallbackHost::capture(const std::shared_ptr<const RunState>& run, StateCollector& states) {
  v1::CallbackState state;
  state.set_state_key(info().state_key);
  state.set_seq(run->seq());
  last_seq_ = std::max(last_seq_, run->seq());
  if (auto dict = state_after(*run)) {
    *state.mutable_state() = dict->proto();
    base_ = {run->seq(), run, std::move(dict)};
    failures_at_.clear();
    last_state_.set(state);
  } else {
    last_state_.set({});
  }
  states.add(info().state_key, std::move(state));
}

v1::CallbackHealth CallbackHost::health() const {
  v1::CallbackHealth health;
  health.set_state_key(info().state_key);
  health.set_delivered(counters_.delivered);
  health.set_dropped(lane_.dropped());
  health.set_failures(counters_.failures);
  health.set_hook_us(counters_.hook_us);
  health.set_lag(static_cast<uint64_t>(lane_.lag()));
  health.set_restarts(counters_.restarts);
  health.set_skipped(counters_.skipped);
  return health;
}

}  // namespace troupe
