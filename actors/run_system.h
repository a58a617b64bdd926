#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "actors/relay.h"
#include "runtime/event_sink.h"

namespace troupe {

/// What the actors of one run are made of.
struct RunSystemConfig {
  std::vector<std::shared_ptr<Callback>> callbacks;  ///< With their state loaded.
  std::shared_ptr<EventLogWriter> log;
  RunState state;                 ///< What the log holds so far, as far as this run takes it up.
  CheckpointContext checkpoints;  ///< make_log_durable is filled in here.
  std::chrono::milliseconds controller_deadline{60000};
  std::chrono::milliseconds drain_deadline{30000};
};

/// The actors of one run, and the loop's way to them: relay, event log, checkpoints, one actor per callback. Made
/// before the loop starts and finished after it; all calls come from the loop's thread.
///
/// Threads: "troupe-relay", "troupe-log" and "troupe-ckpt", one per controller, and two that the observers share.
class RunSystem : public EventSink {
 public:
  explicit RunSystem(RunSystemConfig config);
  ~RunSystem() override;

  bool takes(EventType type) const override { return taken_[type]; }
  bool asks(EventType type) const override { return asked_[type]; }
  void emit(std::shared_ptr<Event> event) override;
  Round ask(std::shared_ptr<Event> event) override;
  void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot, bool weights_only) override;
  void remove_checkpoint(const std::string& path, int saves_before) override;
  void flush() override { flush_log(/*durable=*/false); }
  int pending_signal() const override;

  /// Ends the run: waits for the checkpoints, drains the callbacks up to the deadline, writes RunEnded and makes the
  /// log durable. Returns the state after RunEnded. Throws IoError when the log could not be written; the actors are
  /// gone all the same.
  RunState finish(v1::RunStatus status, const std::string& reason);

 private:
  struct Config;
  void spawn_callbacks(const std::vector<std::shared_ptr<Callback>>& callbacks);
  void push(QueueItem item);
  void throw_if_failed() const;
  /// Those who have not answered by the deadline, or when the run has failed.
  std::vector<std::string> wait_for_answers(RoundCollector& round) const;
  template <class T>
  T wait_for(std::future<T>& promised);
  void flush_log(bool durable);
  std::vector<v1::CallbackHealth> drain_callbacks();
  RunState run_state();
  void stop_actors();

  std::chrono::milliseconds controller_deadline_;
  std::chrono::milliseconds drain_deadline_;
  std::shared_ptr<EventQueue> queue_;
  std::shared_ptr<RunFailure> failure_;
  std::shared_ptr<SnapshotSlots> slots_;
  EventTypeSet taken_;
  EventTypeSet asked_;
  std::vector<Subscriber> subscribers_;
  std::unique_ptr<Config> caf_config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::actor log_;
  caf::actor checkpoints_;
  caf::actor relay_;
  std::set<std::string> unresponsive_;  // Callbacks that missed a deadline: nothing waits for them again.
};

}  // namespace troupe
