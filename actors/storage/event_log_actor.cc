#include "troupe/actors/storage/event_log_actor.h"

namespace troupe {

EventLogActor::EventLogActor(caf::actor_config& config, std::shared_ptr<EventLogWriter> writer,
                             std::shared_ptr<LogCredit> credit, std::shared_ptr<RunFailure> failure)
    : caf::event_based_actor(config),
      writer_(std::move(writer)),
      credit_(std::move(credit)),
      failure_(std::move(failure)) {}

caf::behavior EventLogActor::make_behavior() {
  return {
      [this](const AppendEvents& message) { append(*message.events); },
      [this](const FlushLog& message) { flush(message); },
  };
}

void EventLogActor::append(const std::vector<EventPtr>& events) {
  try {
    if (!failure_->failed()) {
      writer_->append(events);
      writer_->write();
    }
  } catch (...) {
    failure_->set(std::current_exception());
  }
  credit_->give_back(events.size());
}

void EventLogActor::flush(const FlushLog& message) {
  try {
    failure_->rethrow_if_failed();
    if (message.durable) {
      writer_->sync();
    }
    message.done->set_value();
  } catch (...) {
    failure_->set(std::current_exception());
    message.done->set_exception(std::current_exception());
  }
}

}  // namespace troupe
