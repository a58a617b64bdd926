#pragma once

#include <pthread.h>

#include <caf/blocking_actor.hpp>

#include "troupe/actors/relay/relay.h"

namespace troupe {

/// The trainer actor: a thread that relays, see Relay. It waits on its queue rather than its mailbox, since the
/// training thread must not pay for waking it.
class RelayActor : public caf::blocking_actor {
 public:
  RelayActor(caf::actor_config& config, std::shared_ptr<Relay> relay)
      : caf::blocking_actor(config), relay_(std::move(relay)) {}

  void act() override {
    pthread_setname_np(pthread_self(), "troupe-relay");
    relay_->run();
  }

 private:
  std::shared_ptr<Relay> relay_;
};

}  // namespace troupe
