#include "actors/relay.h"

#include <algorithm>
#include <caf/send.hpp>

#include "actors/console_report.h"
#include "runtime/error.h"

namespace troupe {
namespace {

void name_types(const EventTypeSet& types, google::protobuf::RepeatedPtrField<std::string>* names) {
  for (const auto& info : all_event_infos()) {
    if (types[info.type]) {
      names->Add(std::string(info.name));
    }
  }
}

}  // namespace

Relay::Relay(std::shared_ptr<EventQueue> queue, RunState state, std::vector<Subscriber> subscribers, caf::actor log,
             caf::actor checkpoints, std::shared_ptr<LogCredit> credit, std::shared_ptr<RunFailure> failure,
             Options options)
    : queue_(std::move(queue)),
      state_(std::move(state)),
      subscribers_(std::move(subscribers)),
      log_(std::move(log)),
      checkpoints_(std::move(checkpoints)),
      credit_(std::move(credit)),
      failure_(std::move(failure)),
      options_(options) {
  for (const auto& subscriber : subscribers_) {
    taken_ |= subscriber.info.observes;
    taken_with_state_ |= subscriber.info.run_state;
  }
}

void Relay::run() {
  std::vector<QueueItem> items;
  auto patience = options_.drain_every;
  try {
    while (queue_->take(items, patience)) {
      patience = items.empty() ? std::min(patience * 2, options_.drain_every_when_idle) : options_.drain_every;
      process(items);
      items.clear();
    }
  } catch (...) {
    failure_->set(std::current_exception());
    queue_->close();
  }
}

void Relay::process(std::vector<QueueItem>& items) {
  for (auto& item : items) {
    if (item.event) {
      accept(std::move(item.event));
    }
    if (item.request) {
      fulfil(*item.request);
    }
    if (!announced_ && state_.seq() > 0) {
      announced_ = true;
      announce_callbacks();
    }
  }
  hand_on();
}

void Relay::accept(std::shared_ptr<Event> event) {
  if (event->elapsed_us() == 0) {  // An actor's: the loop's have their time and place.
    event->set_elapsed_us(elapsed_us_);
    *event->mutable_position() = state_.position();
  }
  elapsed_us_ = event->elapsed_us();
  const EventType type = event->body_case();
  if (!event_info(type).transient) {
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
    to_callbacks_.push_back({event, taken_with_state_[type] ? snapshot() : nullptr});
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
    accept(std::move(event));
  }
}

std::shared_ptr<const RunState> Relay::snapshot() {
  if (!last_snapshot_) {
    last_snapshot_ = std::make_shared<const RunState>(state_);
  }
  return last_snapshot_;
}

void Relay::fulfil(RelayRequest& request) {
  if (auto* asked = dynamic_cast<AskRequest*>(&request)) {
    ask(*asked);
  } else if (auto* checkpoint = dynamic_cast<CheckpointRequest*>(&request)) {
    write_checkpoint(*checkpoint);
  } else if (auto* remove = dynamic_cast<RemoveCheckpointRequest*>(&request)) {
    caf::anon_send(checkpoints_, RemoveCheckpointFile{remove->path, remove->saves_before});
  } else if (auto* flush = dynamic_cast<FlushRequest*>(&request)) {
    hand_on();
    if (log_) {
      caf::anon_send(log_, FlushLog{flush->durable, flush->done});
    } else {
      flush->done->set_value();
    }
  } else if (auto* health = dynamic_cast<HealthRequest*>(&request)) {
    hand_on();
    for (const auto& subscriber : subscribers_) {
      caf::anon_send(subscriber.actor, ReportHealth{health->healths});
    }
  } else if (auto* state = dynamic_cast<RunStateRequest*>(&request)) {
    state->state->set_value(state_);
  }
}

void Relay::ask(AskRequest& request) {
  const EventPtr event = last_event_;
  const auto run = snapshot();
  request.seq->store(event->seq());
  hand_on();
  for (const auto& subscriber : subscribers_) {
    if (subscriber.info.controls[event->body_case()]) {
      caf::anon_send(subscriber.actor, AskController{event, run, request.round});
    }
  }
}

void Relay::write_checkpoint(CheckpointRequest& request) {
  const EventPtr taken = last_event_;
  auto job = std::make_shared<CheckpointJob>();
  job->path = taken->checkpoint_taken().path();
  job->seq = taken->seq();
  job->weights_only = request.weights_only;
  job->snapshot = std::move(request.snapshot);
  job->run_state = snapshot();
  hand_on();
  std::vector<std::string> stateful;
  for (const auto& subscriber : subscribers_) {
    if (subscriber.info.stateful && !subscriber.lane->detached()) {
      stateful.push_back(subscriber.info.state_key);
    }
  }
  job->callback_states = std::make_shared<StateCollector>(stateful);
  for (const auto& subscriber : subscribers_) {
    if (subscriber.info.stateful) {
      caf::anon_send(subscriber.actor, CaptureState{job->seq, job->callback_states});
    }
  }
  caf::anon_send(checkpoints_, WriteCheckpoint{std::move(job)});
}

void Relay::hand_on() {
  if (!to_log_.empty()) {
    const size_t events = to_log_.size();
    credit_->take(events);
    caf::anon_send(log_, AppendEvents{std::make_shared<const std::vector<EventPtr>>(std::exchange(to_log_, {}))});
    to_log_.reserve(events);
  }
  if (!to_callbacks_.empty()) {
    const auto batch = std::make_shared<const std::vector<Delivery>>(std::exchange(to_callbacks_, {}));
    for (auto& subscriber : subscribers_) {
      hand_to(subscriber, batch);
    }
  }
  for (auto& event : std::exchange(own_events_, {})) {
    accept(std::move(event));
  }
}

void Relay::hand_to(Subscriber& subscriber, const DeliveryBatch& batch) {
  if (subscriber.lane->detached()) {
    return;
  }
  const auto& observes = subscriber.info.observes;
  const auto events =
      std::count_if(batch->begin(), batch->end(), [&](const Delivery& d) { return observes[d.event->body_case()]; });
  if (events == 0) {
    return;
  }
  auto& lane = *subscriber.lane;
  if (!lane.has_room(events)) {
    const bool lossless = subscriber.info.stateful || subscriber.info.controls.any();
    if (!lossless) {
      lane.count_dropped(events);
      return;
    }
    if (!lane.wait_for_room(events, options_.full_lane_patience)) {
      if (subscriber.info.controls.any()) {  // The run needs its decisions.
        throw CallbackError("callback " + subscriber.info.state_key + " does not keep up: its lane was full for " +
                            std::to_string(options_.full_lane_patience.count()) + " s");
      }
      lane.detach();
      auto event = std::make_shared<Event>();
      event->mutable_callback_detached()->set_state_key(subscriber.info.state_key);
      event->mutable_callback_detached()->set_reason("its lane was full for " +
                                                     std::to_string(options_.full_lane_patience.count()) +
                                                     " s: its hooks do not keep up");
      own_events_.push_back(std::move(event));
      return;
    }
  }
  lane.add(events);
  caf::anon_send(subscriber.actor, Deliver{batch, events});
}

}  // namespace troupe
