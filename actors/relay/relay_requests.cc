// What the relay does for the loop besides handing on events.
#include <algorithm>
#include <caf/send.hpp>

#include "troupe/actors/relay/relay.h"

namespace troupe {

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
  } else if (auto* lent = dynamic_cast<LendRequest*>(&request)) {
    lend(*lent);
  } else if (auto* drain = dynamic_cast<DrainRequest*>(&request)) {
    hand_on();
    for (auto& subscriber : subscribers_) {
      add_task(subscriber,
               [drained = drain->drained](CallbackHost& host) { drained->add(host.info().state_key, true); });
    }
  } else if (auto* state = dynamic_cast<RunStateRequest*>(&request)) {
    state->state->set_value(state_);
  }
}

void Relay::ask(AskRequest& request) {
  const auto run = snapshot();
  request.seq->store(last_event_->seq());
  const auto is_prompt = [this](size_t place) { return subscribers_[place].info.policy.prompt; };
  // Where the loop runs every hook itself, nobody has to be woken now, unless one of them is to take events first.
  const bool hands_on = std::any_of(request.asked.begin(), request.asked.end(), [&](size_t place) {
    return !is_prompt(place) || has_something_for(subscribers_[place]);
  });
  if (hands_on) {
    hand_to_callbacks();  // The log is woken when those are at work that the loop waits for.
  }
  for (const size_t asked : request.asked) {
    auto& subscriber = subscribers_[asked];
    auto task = [event = last_event_, run, round = request.round](CallbackHost& host) {
      host.decide(*event, *run, *round);
    };
    if (is_prompt(asked)) {
      subscriber.host->lane().add(LaneTask{state_.seq(), std::move(task)});
    } else {
      add_task(subscriber, std::move(task));
    }
  }
  if (hands_on) {
    hand_to_log();
  }
}

void Relay::lend(LendRequest& request) {
  request.run->set_value(snapshot());
  hand_to_callbacks();
  add_task(subscribers_[request.subscriber], [loan = request.loan](CallbackHost& host) { host.lend(*loan); });
  hand_to_log();
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
    if (subscriber.info.stateful && !subscriber.host->lane().detached()) {
      stateful.push_back(subscriber.info.state_key);
      job->stateful.push_back(subscriber.host);
    }
  }
  job->callback_states = std::make_shared<StateCollector>(stateful);
  for (auto& subscriber : subscribers_) {
    if (subscriber.info.stateful) {
      add_task(subscriber, [run = job->run_state, states = job->callback_states](CallbackHost& host) {
        host.capture(run, *states);
      });
    }
  }
  caf::anon_send(checkpoints_, WriteCheckpoint{std::move(job)});
}

}  // namespace troupe
