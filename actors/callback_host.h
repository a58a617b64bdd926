#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/collector.h"
#include "actors/event_queue.h"
#include "actors/lane.h"
#include "runtime/callback.h"

namespace troupe {

/// One event on its way to the callbacks. `run` is set where a hook takes it: the state exactly after the event.
struct Delivery {
  EventPtr event;
  std::shared_ptr<const RunState> run;
};
using DeliveryBatch = std::shared_ptr<const std::vector<Delivery>>;

/// What a controller answered: its commands, or the error that its hook ended with.
struct ControllerAnswer {
  std::vector<v1::Command> commands;
  std::optional<std::string> error;
};
using RoundCollector = Collector<ControllerAnswer>;
using StateCollector = Collector<v1::CallbackState>;
using HealthCollector = Collector<v1::CallbackHealth>;

/// Runs the hooks of one callback and keeps what they do from reaching anything else: what a callback actor is a shell
/// around. Used by one thread at a time.
class CallbackHost {
 public:
  /// `queue` takes the events about the callback itself.
  CallbackHost(std::shared_ptr<Callback> callback, std::shared_ptr<Lane> lane, std::shared_ptr<EventQueue> queue);

  const CallbackInfo& info() const { return callback_->info(); }

  /// Runs the observer hooks. An exception is reported; it detaches an observer, and is a controller's next answer.
  /// `events` of the batch are the callback's.
  void deliver(const std::vector<Delivery>& batch, int64_t events);
  /// Runs the controller hook and answers, whatever happens.
  void decide(const Event& event, const RunState& run, RoundCollector& round);
  /// Answers with the state as it is after the event `seq`; without one when the callback is detached.
  void capture(uint64_t seq, StateCollector& states);
  /// Answers with what it has done so far.
  void report(HealthCollector& healths) const;

 private:
  void fail(const Event& event, const std::string& message);

  std::shared_ptr<Callback> callback_;
  std::shared_ptr<Lane> lane_;
  std::shared_ptr<EventQueue> queue_;
  v1::CallbackHealth health_;
  std::optional<std::string> failure_;  // Of an observer hook of a controller: what it answers from then on.
};

}  // namespace troupe
