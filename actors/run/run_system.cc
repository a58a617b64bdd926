#include "troupe/actors/run/run_system.h"

#include <pthread.h>

#include <caf/all.hpp>
#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>

#include "troupe/actors/callback/callback_actor.h"
#include "troupe/actors/relay/relay_actor.h"
#include "troupe/actors/run/signal_guard.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/round.h"

namespace troupe {
namespace {

constexpr size_t kQueueEventsMax = 1U << 16;
constexpr size_t kLogEventsMax = 1U << 18;
constexpr size_t kSharedThreads = 2;

/// An actor with a thread of its own, which it names: CAF names no threads.
template <class Actor>
class Named : public Actor {
 public:
  template <class... Args>
  explicit Named(caf::actor_config& config, const char* thread_name, Args&&... args)
      : Actor(config, std::forward<Args>(args)...), thread_name_(thread_name) {}

  caf::behavior make_behavior() override {
    pthread_setname_np(pthread_self(), thread_name_);
    return Actor::make_behavior();
  }

 private:
  const char* thread_name_;
};

/// Names CAF's own threads.
class PoolThreadName : public caf::thread_hook {
 public:
  void init(caf::actor_system& /*system*/) override {}
  void thread_started() override { pthread_setname_np(pthread_self(), "troupe-pool"); }
  void thread_terminates() override {}
};

std::vector<v1::ClockDecision> decided_for(const std::vector<v1::ClockDecision>& decided, const std::string& key) {
  std::vector<v1::ClockDecision> own;
  std::copy_if(decided.begin(), decided.end(), std::back_inserter(own),
               [&](const v1::ClockDecision& decision) { return decision.state_key() == key; });
  return own;
}

}  // namespace

struct RunSystem::Config {
  /// Counts the actors that have ended, so that they can be waited for with a deadline: CAF waits for ever.
  class Ended {
   public:
    void watch(const caf::actor& actor) {
      {
        const std::lock_guard lock(shared_->mutex);
        ++shared_->watched;
      }
      caf::actor_cast<caf::abstract_actor*>(actor)->attach_functor([shared = shared_] {
        const std::lock_guard lock(shared->mutex);
        ++shared->ended;
        shared->changed.notify_all();
      });
    }
    bool wait_for_all(std::chrono::milliseconds patience) {
      std::unique_lock lock(shared_->mutex);
      return shared_->changed.wait_for(lock, patience, [&] { return shared_->ended >= shared_->watched; });
    }

   private:
    struct Shared {
      std::mutex mutex;
      std::condition_variable changed;
      size_t watched = 0;
      size_t ended = 0;
    };
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  };

  caf::actor_system_config caf;
  Ended ended;
};

RunSystem::RunSystem(RunSystemConfig config)
    : controller_deadline_(config.controller_deadline),
      drain_deadline_(config.drain_deadline),
      queue_(std::make_shared<EventQueue>(kQueueEventsMax)),
      failure_(std::make_shared<RunFailure>()),
      slots_(std::make_shared<SnapshotSlots>()),
      inbox_(std::move(config.inbox)),
      caf_config_(std::make_unique<Config>()) {
  caf_config_->caf.set("scheduler.policy", caf::atom("sharing"));
  caf_config_->caf.set("scheduler.max-threads", kSharedThreads);
  caf_config_->caf.add_thread_hook<PoolThreadName>();
  system_ = std::make_unique<caf::actor_system>(caf_config_->caf);
  auto credit = std::make_shared<LogCredit>(kLogEventsMax);
  log_ = system_->spawn<Named<EventLogActor>, caf::detached>("troupe-log", std::move(config.log), credit, failure_);
  config.checkpoints.make_log_durable = [log = log_] {
    auto done = std::make_shared<std::promise<void>>();
    auto durable = done->get_future();
    caf::anon_send(log, FlushLog{true, std::move(done)});
    durable.get();
  };
  checkpoints_ =
      system_->spawn<Named<CheckpointActor>, caf::detached>("troupe-ckpt", config.checkpoints, queue_, slots_);
  spawn_callbacks(config);
  known_gone_.assign(subscribers_.size(), false);
  repeated_ = RepeatedInputs(std::move(config.repeats));
  const auto give_own_thread = [this](const std::shared_ptr<CallbackHost>& host) {
    return spawn_own(host, "troupe-own");
  };
  Relay::Options relay_options;
  relay_options.bytes_of = std::move(config.bytes_of);
  relay_options.health_every = config.health_every;
  relay_ = std::make_shared<Relay>(queue_, std::move(config.state), subscribers_, log_, checkpoints_, std::move(credit),
                                   failure_, give_own_thread, std::move(relay_options));
  *relay_for_callbacks_ = relay_;
  const caf::actor relay_thread = system_->spawn<RelayActor, caf::detached>(relay_);
  for (const auto& actor : {log_, checkpoints_, relay_thread}) {
    caf_config_->ended.watch(actor);
  }
}

void RunSystem::watch(const caf::actor& actor) {
  caf_config_->ended.watch(actor);
  const std::lock_guard lock(callback_actors_mutex_);
  callback_actors_.push_back(actor);
  if (stopping_) {
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }
}

caf::actor RunSystem::spawn_own(const std::shared_ptr<CallbackHost>& host, const char* thread_name) {
  auto actor = system_->spawn<Named<CallbackActor>, caf::detached>(thread_name, host);
  watch(actor);
  return actor;
}

void RunSystem::spawn_callbacks(const RunSystemConfig& config) {
  const auto run = std::make_shared<const RunState>(config.state);
  const auto flush_log = [log = log_, relay = relay_for_callbacks_] {
    if (const auto there = relay->lock()) {
      there->await_turn();  // It may have handed an event to the callback and not to the log yet.
    }
    auto done = std::make_shared<std::promise<void>>();
    auto flushed = done->get_future();
    caf::anon_send(log, FlushLog{false, std::move(done)});
    flushed.get();
  };
  for (const auto& callback : config.callbacks) {
    const auto saved = config.callback_states.find(callback->info().state_key);
    Subscriber subscriber;
    subscriber.info = callback->info();
    subscriber.host = std::make_shared<CallbackHost>(
        callback, CallbackHost::Surroundings{
                      queue_, config.checkpoints.run_directory, flush_log, run,
                      saved == config.callback_states.end() ? std::nullopt : std::optional(saved->second)});
    const auto& info = subscriber.info;
    if (info.decides() || info.policy.own_thread) {  // No other observer can keep the loop waiting.
      subscriber.actor = spawn_own(subscriber.host, info.decides() ? "troupe-control" : "troupe-own");
    } else {
      subscriber.shares_threads = true;
      subscriber.actor = system_->spawn<CallbackActor>(subscriber.host);
      watch(subscriber.actor);
    }
    taken_ |= info.observes | info.controls | info.lives;
    asked_ |= info.controls;
    lent_ |= info.lives;
    outputs_taken_ |= info.outputs | info.lives;
    schedules_.emplace_back(info.ask_when, run->position(), decided_for(config.repeats.decided, info.state_key));
    subscribers_.push_back(std::move(subscriber));
  }
}

RunSystem::~RunSystem() {
  stop_actors();
}

int RunSystem::pending_signal() const {
  return SignalGuard::pending();
}

void RunSystem::throw_if_failed() const {
  failure_->rethrow_if_failed();
}

void RunSystem::emit(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  repeat_time(*event);
  hand_over(std::move(event), std::move(outputs));
}

void RunSystem::hand_over(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  throw_if_failed();
  repeated_.pass(event->body_case());
  if (!queue_->push(std::move(event), std::move(outputs))) {
    throw_if_failed();
    throw Error("an event was emitted after the run had ended");
  }
}

void RunSystem::push(QueueItem item, bool wakes_relay) {
  throw_if_failed();
  if (!queue_->push(std::move(item), wakes_relay)) {
    throw_if_failed();
    throw Error("the run has ended");
  }
}

void RunSystem::relay_here(QueueItem item, Relay::HandOn hand_on) {
  push(std::move(item), /*wakes_relay=*/false);
  relay_->work(hand_on);
}

void RunSystem::await_checkpoint_slot(const std::string& path) {
  if (slots_->take(std::chrono::milliseconds(0))) {
    return;
  }
  ++checkpoint_waits_;
  const auto started = std::chrono::steady_clock::now();
  while (!slots_->take(std::chrono::milliseconds(200))) {
    throw_if_failed();
  }
  const auto waited = std::chrono::steady_clock::now() - started;
  auto event = std::make_shared<Event>();
  event->mutable_checkpoint_waited()->set_path(path);
  event->mutable_checkpoint_waited()->set_waited_us(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(waited).count()));
  queue_->push_unbounded(std::move(event));
}

void RunSystem::take_checkpoint(std::shared_ptr<Event> taken, std::shared_ptr<Snapshot> snapshot, bool weights_only) {
  auto request = std::make_shared<CheckpointRequest>();
  request->snapshot = std::move(snapshot);
  request->weights_only = weights_only;
  push({std::move(taken), std::move(request)});
}

void RunSystem::remove_checkpoint(const std::string& path, int saves_before) {
  auto request = std::make_shared<RemoveCheckpointRequest>();
  request->path = path;
  request->saves_before = saves_before;
  push({nullptr, std::move(request)});
}

void RunSystem::flush_log(bool durable) {
  auto request = std::make_shared<FlushRequest>();
  request->durable = durable;
  request->done = std::make_shared<std::promise<void>>();
  auto done = request->done->get_future();
  push({nullptr, std::move(request)});
  wait_for(done);
}

void RunSystem::detach(Subscriber& subscriber, const std::string& reason) {
  unresponsive_.insert(subscriber.info.state_key);
  subscriber.host->lane().detach();
  auto event = std::make_shared<Event>();
  event->mutable_callback_detached()->set_state_key(subscriber.info.state_key);
  event->mutable_callback_detached()->set_reason(reason);
  queue_->push_unbounded(std::move(event));
}

void RunSystem::drain_callbacks() {
  std::vector<std::string> names;
  for (const auto& subscriber : subscribers_) {
    if (!unresponsive_.contains(subscriber.info.state_key)) {
      names.push_back(subscriber.info.state_key);
    }
  }
  auto request = std::make_shared<DrainRequest>();
  request->drained = std::make_shared<DrainCollector>(names);
  auto drained = request->drained;
  push({nullptr, std::move(request)});
  const auto missing = drained->wait(drain_deadline_);
  for (auto& subscriber : subscribers_) {
    if (std::find(missing.begin(), missing.end(), subscriber.info.state_key) != missing.end()) {
      detach(subscriber, "it had not taken " + std::to_string(subscriber.host->lane().lag()) + " of the run's events " +
                             std::to_string(drain_deadline_.count() / 1000) + " s after the end");
    }
  }
}

std::vector<v1::CallbackHealth> RunSystem::healths() const {
  std::vector<v1::CallbackHealth> result;
  for (const auto& subscriber : subscribers_) {
    result.push_back(subscriber.host->health());
  }
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.state_key() < b.state_key(); });
  return result;
}

std::vector<std::string> RunSystem::losses(const std::string& checkpoint_failure) const {
  std::vector<std::string> lost;
  if (!checkpoint_failure.empty()) {
    lost.push_back(checkpoint_failure);
  }
  for (const auto& subscriber : subscribers_) {
    if (!subscriber.info.decides() && subscriber.host->lane().detached()) {
      lost.push_back("callback " + subscriber.info.state_key + " was detached before the end");
    }
  }
  return lost;
}

RunState RunSystem::run_state() {
  auto request = std::make_shared<RunStateRequest>();
  request->state = std::make_shared<std::promise<RunState>>();
  auto state = request->state->get_future();
  push({nullptr, std::move(request)});
  return wait_for(state);
}

RunState RunSystem::finish(v1::RunStatus status, const std::string& reason) {
  throw_if_failed();
  auto checkpoints_done = std::make_shared<std::promise<std::string>>();
  auto finished = checkpoints_done->get_future();
  flush_log(/*durable=*/false);  // Every checkpoint asked for has reached its actor.
  caf::anon_send(checkpoints_, FinishCheckpoints{std::move(checkpoints_done)});
  const std::string checkpoint_failure = wait_for(finished);
  drain_callbacks();
  auto event = std::make_shared<Event>();
  auto* ended = event->mutable_run_ended();
  ended->set_status(status);
  ended->set_reason(reason);
  ended->set_emit_waits(queue_->waits());
  ended->set_checkpoint_waits(checkpoint_waits_);
  for (auto& loss : losses(checkpoint_failure)) {
    ended->add_lost(std::move(loss));
  }
  for (auto& health : healths()) {
    *ended->add_callbacks() = std::move(health);
  }
  push({std::move(event), nullptr});
  drain_callbacks();
  flush_log(/*durable=*/true);
  RunState state = run_state();
  stop_actors();
  return state;
}

void RunSystem::stop_actors() {
  if (!system_) {
    return;
  }
  queue_->close();
  {
    const std::lock_guard lock(callback_actors_mutex_);
    stopping_ = true;
    for (const auto& actor : std::exchange(callback_actors_, {})) {
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    }
  }
  caf::anon_send_exit(checkpoints_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(log_, caf::exit_reason::user_shutdown);
  subscribers_.clear();
  log_ = checkpoints_ = nullptr;
  relay_.reset();
  constexpr std::chrono::seconds kPatience{2};
  if (!caf_config_->ended.wait_for_all(kPatience)) {
    // A hook hangs and cannot be interrupted. Its thread keeps what it may still touch; the program goes on, and ends,
    // without it.
    std::cerr << "troupe: warning: a callback's hook still hangs; its thread is left behind\n";
    (void)system_.release();
    (void)caf_config_.release();
    return;
  }
  system_.reset();
}

}  // namespace troupe
