#pragma once

#include <caf/event_based_actor.hpp>

#include "actors/callback_host.h"

namespace troupe {

// Messages of a callback actor. They never leave the process.
struct Deliver {
  DeliveryBatch batch;
  int64_t events;  ///< Those of the batch that the callback takes.
};
struct AskController {
  EventPtr event;
  std::shared_ptr<const RunState> run;
  std::shared_ptr<RoundCollector> round;
};
struct CaptureState {
  uint64_t seq;
  std::shared_ptr<StateCollector> states;
};
struct ReportHealth {
  std::shared_ptr<HealthCollector> healths;
};

}  // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::Deliver)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::AskController)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::CaptureState)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::ReportHealth)

namespace troupe {

/// The actor that one callback lives in. Messages come in the order of the events; the host does the work.
class CallbackActor : public caf::event_based_actor {
 public:
  CallbackActor(caf::actor_config& config, std::shared_ptr<CallbackHost> host)
      : caf::event_based_actor(config), host_(std::move(host)) {}

  caf::behavior make_behavior() override {
    return {
        [this](const Deliver& message) { host_->deliver(*message.batch, message.events); },
        [this](const AskController& message) { host_->decide(*message.event, *message.run, *message.round); },
        [this](const CaptureState& message) { host_->capture(message.seq, *message.states); },
        [this](const ReportHealth& message) { host_->report(*message.healths); },
    };
  }

 private:
  std::shared_ptr<CallbackHost> host_;
};

}  // namespace troupe
