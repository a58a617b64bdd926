#include "troupe/runtime/event/repeated_inputs.h"

#include <algorithm>
#include <limits>

namespace troupe {
namespace {

EventTypeSet find_landmarks() {
  EventTypeSet landmarks;
  for (const auto& info : all_event_infos()) {
    landmarks[info.type] = !info.transient && !info.environmental;
  }
  // What inputs and controllers add, what a module may log where a resumed run is not set up as a new one is, and the
  // end of a fit that a resumed one may leave out to go on.
  for (const EventType type : {Event::kInputRecorded, Event::kCommandApplied, Event::kCommandRefused, Event::kUserEvent,
                               Event::kHistogramLogged, Event::kImageLogged, Event::kTextLogged,
                               Event::kCheckpointTaken, Event::kTrainEnded, Event::kFitEnded}) {
    landmarks[type] = false;
  }
  return landmarks;
}

}  // namespace

bool is_landmark(EventType type) {
  static const EventTypeSet landmarks = find_landmarks();
  return landmarks[type];
}

RepeatedInputs::RepeatedInputs(KnownInputs known)
    : inputs_(std::make_move_iterator(known.inputs.begin()), std::make_move_iterator(known.inputs.end())),
      landmarks_(known.landmarks),
      over_(inputs_.empty() && landmarks_ == 0) {}

void RepeatedInputs::pass(EventType type) {
  if (over_ || !is_landmark(type)) {
    return;
  }
  ++place_;
  while (!inputs_.empty() && inputs_.front().place < place_) {
    inputs_.pop_front();
  }
  over_ = inputs_.empty() && place_ > landmarks_;
}

bool RepeatedInputs::command_is_due() const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [this](const PlacedInput& next) { return next.place == place_ && next.input.has_command(); });
}

std::vector<v1::InputRecorded> RepeatedInputs::take_commands() {
  std::vector<v1::InputRecorded> commands;
  std::erase_if(inputs_, [&](PlacedInput& next) {
    const bool due = next.place == place_ && next.input.has_command();
    if (due) {
      commands.push_back(std::move(next.input));
    }
    return due;
  });
  return commands;
}

uint64_t RepeatedInputs::next_decision_us() const {
  const auto next =
      std::find_if(inputs_.begin(), inputs_.end(), [](const PlacedInput& input) { return input.input.has_clock(); });
  return next == inputs_.end() ? std::numeric_limits<uint64_t>::max() : next->input.clock().elapsed_us();
}

DecidedBefore RepeatedInputs::decided(v1::ClockDecision::Kind kind, const std::string& state_key, EventType event,
                                      uint64_t& elapsed_us) {
  if (over_) {
    return DecidedBefore::kUnknown;
  }
  const auto decision = std::find_if(inputs_.begin(), inputs_.end(), [&](const PlacedInput& next) {
    const auto& clock = next.input.clock();
    return next.place == place_ && next.input.has_clock() && clock.kind() == kind && clock.state_key() == state_key &&
           clock.event() == static_cast<uint32_t>(event);
  });
  if (decision != inputs_.end()) {
    elapsed_us = decision->input.clock().elapsed_us();
    inputs_.erase(decision);
    return DecidedBefore::kYes;
  }
  return place_ < landmarks_ ? DecidedBefore::kNo : DecidedBefore::kUnknown;
}

}  // namespace troupe
