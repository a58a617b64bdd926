#include "troupe/actors/relay/relay.h"

#include <algorithm>
#include <caf/send.hpp>

#include "troupe/actors/callback/callback_actor.h"
#include "troupe/actors/relay/console_report.h"
#include "troupe/runtime/event/message_texts.h"

namespace troupe {
namespace {

void name_types(const EventTypeSet& types, google::protobuf::RepeatedPtrField<std::string>* names) {
  for (const auto& info : all_event_infos()) {
    if (types[info.type]) {
      names->Add(std::string(info.name));
    }
  }
}

/// Whether all texts of this type are names of metrics, which have been checked where they were logged.
bool has_names_of_metrics_only(EventType type) {
  return type == Event::kTrainBatchEnded || type == Event::kValidationBatchEnded || type == Event::kTestBatchEnded ||
         type == Event::kPredictBatchEnded;
}

/// Makes the texts of an event UTF-8, messages of exceptions say: one that is not would make the log unreadable.
void repair_body(Event& event) {
  if (!has_names_of_metrics_only(event.body_case())) {
    const auto* body = Event::descriptor()->FindFieldByNumber(event.body_case());
    repair_texts(*event.GetReflection()->MutableMessage(&event, body));
  }
}

}  // namespace

Relay::Relay(std::shared_ptr<EventQueue> queue, RunState state, std::vector<Subscriber> subscribers, caf::actor log,
             caf::actor checkpoints, std::shared_ptr<LogCredit> credit, std::shared_ptr<RunFailure> failure,
             SpawnOwn spawn_own, Options options)
    : queue_(std::move(queue)),
      state_(std::move(state)),
      subscribers_(std::move(subscribers)),
      log_(std::move(log)),
      checkpoints_(std::move(checkpoints)),
      credit_(std::move(credit)),
      failure_(std::move(failure)),
      spawn_own_(std::move(spawn_own)),
      options_(std::move(options)),
      health_reported_at_(std::chrono::steady_clock::now()) {
  for (const auto& subscriber : subscribers_) {
    taken_ |= subscriber.info.observes;
    taken_with_state_ |= subscriber.info.run_state;
  }
}

void Relay::run() {
  auto patience = options_.drain_every;
  while (queue_->wait(patience)) {
    const auto done = work();
    if (!done) {
      return;
    }
    patience = *done == 0 ? std::min(patience * 2, options_.drain_every_when_idle) : options_.drain_every;
  }
}

std::optional<size_t> Relay::work(HandOn hand_on) {
  const std::lock_guard lock(working_);
  if (failed_) {
    return std::nullopt;
  }
  queue_->take(items_);
  const size_t count = items_.size() + to_log_.size() + to_callbacks_.size();
  try {
    process(items_, hand_on);
    relieve_shared_threads();
  } catch (...) {
    failed_ = true;
    failure_->set(std::current_exception());
    queue_->close();
    items_.clear();  // What was promised in them is broken, so that nobody waits for it.
    queue_->take(items_);
  }
  items_.clear();
  return failed_ ? std::nullopt : std::optional(count);
}

void Relay::process(std::vector<QueueItem>& items, HandOn hand_on) {
  for (auto& item : items) {
    if (item.event) {
      accept(std::move(item.event), std::move(item.outputs));
    }
    if (item.request) {
      fulfil(*item.request);
    }
    if (!announced_ && state_.seq() > 0) {
      announced_ = true;
      announce_callbacks();
    }
  }
  report_health();
  if (hand_on == HandOn::kNow) {
    this->hand_on();
  }
}

void Relay::accept(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  if (event->elapsed_us() == 0) {  // An actor's: the loop's have their time and place.
    event->set_elapsed_us(elapsed_us_);
    *event->mutable_position() = state_.position();
  }
  elapsed_us_ = event->elapsed_us();
  const EventType type = event->body_case();
  if (!event_info(type).transient) {
    repair_body(*event);
    if (ended_) {  // What a callback does after RunEnded is told to people alone.
      report_to_console(*event);
      return;
    }
    ended_ = type == Event::kRunEnded;
    event->set_seq(event->has_run_resumed() ? event->run_resumed().from_seq() + 1 : state_.seq() + 1);
    state_.apply(*event);
    last_snapshot_.reset();
    report_to_console(*event);
    if (log_) {
      to_log_.push_back(event);
    }
  }
  if (taken_[type]) {
    const int64_t bytes = outputs ? options_.bytes_of(*outputs) : 0;
    to_callbacks_.push_back({event, taken_with_state_[type] ? snapshot() : nullptr, std::move(outputs), bytes});
  }
  last_event_ = std::move(event);
}

void Relay::announce_callbacks() {
  for (const auto& subscriber : subscribers_) {
    auto event = std::make_shared<Event>();
    auto* attached = event->mutable_callback_attached();
    attached->set_state_key(subscriber.info.state_key);
    attached->set_type(subscriber.info.type);
    attached->set_stateful(subscriber.info.stateful);
    name_types(subscriber.info.observes, attached->mutable_observes());
    name_types(subscriber.info.controls, attached->mutable_controls());
    name_types(subscriber.info.lives, attached->mutable_lives());
    const auto& policy = subscriber.info.policy;
    attached->set_lane(std::string(enum_name(policy.lane.value_or(LanePolicy::kDropOldest))));
    attached->set_max_restarts(static_cast<uint32_t>(policy.max_restarts.value_or(0)));
    attached->mutable_user_events()->Assign(subscriber.info.user_events.begin(), subscriber.info.user_events.end());
    accept(std::move(event));
  }
}

std::shared_ptr<const RunState> Relay::snapshot() {
  if (!last_snapshot_) {
    last_snapshot_ = std::make_shared<const RunState>(state_);
  }
  return last_snapshot_;
}

void Relay::hand_on() {
  hand_to_log();
  hand_to_callbacks();
}

void Relay::hand_to_log() {
  if (!to_log_.empty()) {
    const size_t events = to_log_.size();
    credit_->take(events);
    caf::anon_send(log_, AppendEvents{std::make_shared<const std::vector<EventPtr>>(std::exchange(to_log_, {}))});
    to_log_.reserve(events);
  }
}

void Relay::hand_to_callbacks() {
  if (to_callbacks_.empty()) {
    return;
  }
  health_changed_ = true;
  const auto batch = std::make_shared<const std::vector<Delivery>>(std::exchange(to_callbacks_, {}));
  for (auto& subscriber : subscribers_) {
    if (subscriber.host->lane().add(batch)) {
      caf::anon_send(subscriber.actor, WorkLane());
    }
  }
}

void Relay::add_task(Subscriber& subscriber, std::function<void(CallbackHost&)> task) {
  if (subscriber.host->lane().add(LaneTask{state_.seq(), std::move(task)})) {
    caf::anon_send(subscriber.actor, WorkLane());
  }
}

bool Relay::has_something_for(const Subscriber& subscriber) const {
  return std::any_of(to_callbacks_.begin(), to_callbacks_.end(),
                     [&](const Delivery& delivery) { return subscriber.info.observes[delivery.event->body_case()]; });
}

void Relay::relieve_shared_threads() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const int64_t stuck_before_us =
      std::chrono::duration_cast<std::chrono::microseconds>(now - options_.stuck_after).count();
  const auto stuck = [&](const Subscriber& subscriber) {
    const int64_t since_us = subscriber.host->counters().working_since_us.load(std::memory_order_relaxed);
    return subscriber.shares_threads && since_us != 0 && since_us < stuck_before_us;
  };
  const auto stuck_ones = std::count_if(subscribers_.begin(), subscribers_.end(), stuck);
  if (static_cast<size_t>(stuck_ones) < options_.shared_threads) {
    return;
  }
  for (auto& subscriber : subscribers_) {
    if (subscriber.shares_threads && !stuck(subscriber)) {
      subscriber.shares_threads = false;
      subscriber.actor = spawn_own_(subscriber.host);
      caf::anon_send(subscriber.actor, WorkLane());  // A wake-up may wait behind the hooks that occupy the threads.
    }
  }
}

void Relay::report_health() {
  const auto now = std::chrono::steady_clock::now();
  if (now - health_reported_at_ < options_.health_every) {
    return;
  }
  health_reported_at_ = now;
  if (!std::exchange(health_changed_, false) || ended_) {
    return;
  }
  auto event = std::make_shared<Event>();
  auto* reported = event->mutable_callback_health_reported();
  for (const auto& subscriber : subscribers_) {
    *reported->add_callbacks() = subscriber.host->health();
  }
  std::sort(reported->mutable_callbacks()->pointer_begin(), reported->mutable_callbacks()->pointer_end(),
            [](const auto* a, const auto* b) { return a->state_key() < b->state_key(); });
  accept(std::move(event));
}

}  // namespace troupe
