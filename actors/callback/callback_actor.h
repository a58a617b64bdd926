#pragma once

#include <caf/event_based_actor.hpp>

#include "troupe/actors/callback/callback_host.h"

namespace troupe {

/// Tells a callback actor that its lane has something for it. It never leaves the process.
struct WorkLane {};

}  // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::WorkLane)

namespace troupe {

/// The actor that one callback lives in. What it is to do waits in the host's lane, in order and bounded; its mailbox
/// holds a wake-up at most.
class CallbackActor : public caf::event_based_actor {
 public:
  CallbackActor(caf::actor_config& config, std::shared_ptr<CallbackHost> host)
      : caf::event_based_actor(config), host_(std::move(host)) {}

  caf::behavior make_behavior() override {
    return {[this](WorkLane) {
      constexpr std::chrono::milliseconds kTurn{2};  // Then other callbacks get the thread.
      if (host_->work(kTurn)) {
        send(this, WorkLane());
      }
    }};
  }

 private:
  std::shared_ptr<CallbackHost> host_;
};

}  // namespace troupe
