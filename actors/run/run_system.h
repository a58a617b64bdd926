#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "troupe/actors/mailbox/operator_inbox.h"
#include "troupe/actors/relay/relay.h"
#include "troupe/runtime/callback/ask_when.h"
#include "troupe/runtime/event/event_sink.h"
#include "troupe/runtime/event/repeated_inputs.h"

namespace troupe {

/// What the actors of one run are made of. They pass tensors on and never look into them: what has to is a function
/// here.
struct RunSystemConfig {
  std::vector<std::shared_ptr<Callback>> callbacks;          ///< With their state loaded.
  std::map<std::string, v1::CallbackState> callback_states;  ///< What was loaded, by state key.
  std::shared_ptr<OperatorInbox> inbox = std::make_shared<OperatorInbox>();
  KnownInputs repeats;  ///< What the run, and an earlier process of it, took and decided.
  std::shared_ptr<EventLogWriter> log;
  RunState state;                                       ///< What the log holds so far, as far as this run takes it up.
  CheckpointContext checkpoints;                        ///< make_log_durable is filled in here.
  std::function<int64_t(const StepOutputs&)> bytes_of;  ///< Memory that a step's tensors keep.
  std::chrono::milliseconds controller_deadline{60000};
  std::chrono::milliseconds drain_deadline{30000};
  std::chrono::microseconds health_every{10000000};  ///< Between two CallbackHealthReported, at least.
};

/// The actors of one run, and the loop's way to them: relay, event log, checkpoints, one actor per callback. Made
/// before the loop starts and finished after it; all calls come from the loop's thread.
///
/// Threads: "troupe-relay", "troupe-log" and "troupe-ckpt"; "troupe-control" for each controller, "troupe-own" for each
/// observer that says that it blocks; two "troupe-pool" that the other observers share, who get their own when hooks
/// that hang occupy both.
class RunSystem : public EventSink {
 public:
  explicit RunSystem(RunSystemConfig config);
  ~RunSystem() override;

  bool takes(EventType type) const override { return taken_[type]; }
  bool takes_outputs(EventType type) const override { return outputs_taken_[type]; }
  bool asks(const Event& event) override;
  bool lends(EventType type) const override { return lent_[type]; }
  void emit(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) override;
  Round ask(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) override;
  void lend(const EventPtr& event, const LiveTurn& turn, const std::function<void(const Round&)>& apply) override;
  void await_checkpoint_slot(const std::string& path) override;
  void take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot, bool weights_only) override;
  void remove_checkpoint(const std::string& path, int saves_before) override;
  void flush() override { flush_log(/*durable=*/false); }
  int pending_signal() const override;
  bool has_inputs() const override { return inbox_->any() || repeated_.any_command(); }
  std::vector<v1::InputRecorded> take_inputs() override;
  DecidedBefore validation_decided_before(uint64_t& elapsed_us) override;
  void wait_for_input() override;

  /// How often the loop has waited for one of two checkpoints to be written. Any thread may ask.
  uint64_t checkpoint_waits() const { return checkpoint_waits_; }

  /// Ends the run: waits for the checkpoints, drains the callbacks up to the deadline, writes RunEnded and makes the
  /// log durable. Returns the state after RunEnded. Throws IoError when the log could not be written; the actors are
  /// gone all the same.
  RunState finish(v1::RunStatus status, const std::string& reason);

 private:
  struct Config;
  /// Whose Live hooks have a turn at an event.
  struct Turns {
    const Event* event;
    std::vector<size_t> places;
  };
  void spawn_callbacks(const RunSystemConfig& config);
  void watch(const caf::actor& actor);
  caf::actor spawn_own(const std::shared_ptr<CallbackHost>& host, const char* thread_name);
  void push(QueueItem item, bool wakes_relay = true);
  /// The same, and does the relay's work up to it on this thread: for what the loop then waits for.
  void relay_here(QueueItem item, Relay::HandOn hand_on = Relay::HandOn::kNow);
  /// Runs the hooks of those who are asked and prompt, after what their lanes held before.
  void answer_promptly();
  void throw_if_failed() const;
  /// Waits for all of them, and deals with those that are late as their policies say; fills in whom it detached.
  void wait_for_answers(RoundCollector& collector, const Event& event, Round& round);
  /// True when the callback's deadline is not the end of waiting for it.
  bool deal_with_late(const Subscriber& subscriber, const Event& event, RoundCollector& collector, Round& round);
  void take_answers(RoundCollector& collector, EventType type, Round& round);
  /// Records what a clock decided, before it takes effect.
  void record_clock_decision(v1::ClockDecision::Kind kind, const std::string& state_key, const Event& event);
  AskSchedule::Answer wants(size_t place, const Event& event);
  /// Whether the subscriber's hook is to have its turn, as its schedule has it; records it where a clock decided.
  bool has_turn(size_t place, const Event& event);
  /// Lets the event's time be that of the decisions that are repeated: theirs at them, and never later than the next.
  void repeat_time(Event& event);
  void hand_over(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs);
  /// Whether the callback is detached. The first time that it is found so, its votes lapse with `round`.
  bool is_gone(size_t place, Round& round);
  /// Takes those out of to_ask_ that an earlier process gave up at this event.
  std::vector<size_t> given_up_before(const Event& event);
  void give_up(size_t place, const Event& event, const std::string& why, Round& round);
  Callback* borrow(size_t place, const std::shared_ptr<CallbackLoan>& loan, std::shared_ptr<const RunState>& run);
  /// One callback's turn. `round`: what came of it.
  void lend_one(size_t place, const EventPtr& event, const LiveTurn& turn, Round& round);
  void detach(Subscriber& subscriber, const std::string& reason);
  std::chrono::nanoseconds deadline_of(const Subscriber& subscriber) const;
  /// What an actor promised. One that ended without keeping its promise has said why in the failure.
  template <class T>
  T wait_for(std::future<T>& promised) {
    try {
      return promised.get();
    } catch (const std::future_error&) {
      throw_if_failed();
      throw;
    }
  }
  void flush_log(bool durable);
  void drain_callbacks();
  std::vector<v1::CallbackHealth> healths() const;
  /// What the run was to leave and has not, one line each.
  std::vector<std::string> losses(const std::string& checkpoint_failure) const;
  RunState run_state();
  void stop_actors();

  std::chrono::milliseconds controller_deadline_;
  std::chrono::milliseconds drain_deadline_;
  std::shared_ptr<EventQueue> queue_;
  std::shared_ptr<RunFailure> failure_;
  std::shared_ptr<SnapshotSlots> slots_;
  std::atomic<uint64_t> checkpoint_waits_ = 0;
  EventTypeSet taken_;
  EventTypeSet asked_;
  EventTypeSet lent_;
  EventTypeSet outputs_taken_;
  std::vector<Subscriber> subscribers_;
  std::vector<AskSchedule> schedules_;    // Of each subscriber.
  std::vector<size_t> to_ask_;            // Those that want the event that asks() was called with last.
  std::vector<Turns> turns_;              // Of events that are being handed over, from the outermost one on.
  std::vector<bool> known_gone_;          // Subscribers of which the loop knows that they are detached.
  std::set<std::string> in_time_before_;  // Of to_ask_: answered in time when an earlier process came to the event.
  RepeatedInputs repeated_;
  std::optional<uint64_t> repeated_us_;  // When the clock decided about the event that asks() was called with last.
  std::shared_ptr<OperatorInbox> inbox_;
  std::unique_ptr<Config> caf_config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::actor log_;
  caf::actor checkpoints_;
  std::shared_ptr<Relay> relay_;
  std::shared_ptr<std::weak_ptr<Relay>> relay_for_callbacks_ = std::make_shared<std::weak_ptr<Relay>>();
  std::mutex callback_actors_mutex_;  // The relay spawns some too.
  std::vector<caf::actor> callback_actors_;
  bool stopping_ = false;
  std::set<std::string> unresponsive_;  // Callbacks that missed a deadline: nothing waits for them again.
};

}  // namespace troupe
