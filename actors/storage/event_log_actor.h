#pragma once

#include <caf/event_based_actor.hpp>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "troupe/actors/storage/run_failure.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/log/event_log_writer.h"

namespace troupe {

/// Events on their way to the log: the relay waits when there are too many.
class LogCredit {
 public:
  explicit LogCredit(size_t events_max) : events_max_(events_max) {}
  void take(size_t events) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return in_flight_ <= events_max_; });
    in_flight_ += events;
  }
  void give_back(size_t events) {
    const std::lock_guard lock(mutex_);
    in_flight_ -= events;
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  const size_t events_max_;
  size_t in_flight_ = 0;
};

using EventVector = std::shared_ptr<const std::vector<EventPtr>>;

// Messages of the event log actor.
struct AppendEvents {
  EventVector events;
};
struct FlushLog {
  bool durable;  ///< Also fsync.
  std::shared_ptr<std::promise<void>> done;
};

}  // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::AppendEvents)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::FlushLog)

namespace troupe {

/// Sole writer of the run's log, on a thread of its own. An I/O error fails the run; what comes after it is dropped.
class EventLogActor : public caf::event_based_actor {
 public:
  EventLogActor(caf::actor_config& config, std::shared_ptr<EventLogWriter> writer, std::shared_ptr<LogCredit> credit,
                std::shared_ptr<RunFailure> failure);

  caf::behavior make_behavior() override;

 private:
  void append(const std::vector<EventPtr>& events);
  void flush(const FlushLog& message);

  std::shared_ptr<EventLogWriter> writer_;
  std::shared_ptr<LogCredit> credit_;
  std::shared_ptr<RunFailure> failure_;
};

}  // namespace troupe
