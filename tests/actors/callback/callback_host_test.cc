#include "troupe/actors/callback/callback_host.h"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/callback/typed_callback.h"

using namespace troupe;

namespace {

/// How many more times the hook of a step throws, by step. Outside the callback: a restart does not reset it.
using Faults = std::shared_ptr<std::map<uint64_t, int>>;

/// Keeps the steps that it was delivered.
struct StepKeeper {
  Faults faults = std::make_shared<std::map<uint64_t, int>>();
  std::vector<uint64_t> steps;

  void on(const TrainBatchEnded& /*event*/, const RunState& run) {
    steps.push_back(run.global_step());  // A half-done change: it must not outlive a failure.
    if ((*faults)[run.global_step()]-- > 0) {
      throw std::runtime_error("no step " + std::to_string(run.global_step()));
    }
  }
};

/// The same with state.
struct HostedCounter {
  Faults faults = std::make_shared<std::map<uint64_t, int>>();
  int64_t batches = 0;
  double loss_sum = 0;

  void on(const TrainBatchEnded& event) {
    ++batches;
    loss_sum += event.metrics(0).value();
    if ((*faults)[static_cast<uint64_t>(batches)]-- > 0) {
      throw std::runtime_error("cannot count on");
    }
  }
  StateDict state_dict() const {
    StateDict state;
    state.set("batches", batches);
    state.set("loss_sum", loss_sum);
    return state;
  }
  void load_state_dict(const StateDict& state) {
    batches = state.get_int("batches");
    loss_sum = state.get_double("loss_sum");
  }
};

struct Judge : HostedCounter {
  using HostedCounter::on;
  bool fails = false;
  void on(const ValidationEnded& /*event*/, Control& control) {
    if (fails) {
      throw std::runtime_error("no judgement");
    }
    control.stop("counted " + std::to_string(batches));
  }
};

struct Uncopyable : HostedCounter {
  std::unique_ptr<int> owned;
};

struct Emitter {
  Faults faults = std::make_shared<std::map<uint64_t, int>>();
  std::shared_ptr<Outbox> outbox;
  void set_outbox(std::shared_ptr<Outbox> given) { outbox = std::move(given); }
  void on(const TrainBatchEnded& /*event*/, const RunState& run) {
    if ((*faults)[run.global_step()]-- > 0) {
      throw std::runtime_error("not yet");
    }
    outbox->emit(make_user_event("step", {{"step", static_cast<int64_t>(run.global_step())}}));
  }
};

constexpr uint64_t kSteps = 8;

/// A run of kSteps batch events in a log, and a callback's host in it.
template <class T>
class Hosted {
 public:
  explicit Hosted(T callback = {}, const CallbackPolicy& policy = {},
                  std::optional<v1::CallbackState> loaded = std::nullopt, uint64_t from_seq = 0)
      : slot_(std::make_shared<CallbackSlot<T>>(CallbackSlot<T>{std::make_shared<T>(std::move(callback))})) {
    events_.push_back(run_started_event());
    for (uint64_t step = 1; step <= kSteps; ++step) {
      events_.push_back(batch_event(step + 1, step));
    }
    write_log(folder_.path() / "events", events_);
    auto start = state_at(from_seq);
    std::shared_ptr<Callback> erased = make_callback(slot_, "counter", policy);
    if (loaded) {
      erased->load_state_dict(StateDict(loaded->state()));
    }
    host_ = std::make_unique<CallbackHost>(
        erased, CallbackHost::Surroundings{queue_, folder_.path(), [] {}, std::move(start), std::move(loaded)});
  }

  T& callback() { return *slot_->callback; }
  CallbackHost& host() { return *host_; }

  /// Delivers the batch events of these steps and works the lane off.
  void deliver(uint64_t first_step, uint64_t last_step) {
    add(first_step, last_step);
    work();
  }
  void add(uint64_t first_step, uint64_t last_step) {
    auto batch = std::make_shared<std::vector<Delivery>>();
    for (uint64_t step = first_step; step <= last_step; ++step) {
      batch->push_back({std::make_shared<Event>(events_[step]), state_at(step + 1), nullptr, 0});
    }
    host_->lane().add(DeliveryBatch(batch));
  }
  void work() {
    while (host_->work(std::chrono::seconds(10))) {
    }
  }
  v1::CallbackState capture(uint64_t seq) {
    StateCollector states({"counter"});
    host_->capture(state_at(seq), states);
    return states.take().at(0).second;
  }
  ControllerAnswer decide() {
    Event event;
    event.mutable_validation_ended();
    RoundCollector round({"counter"});
    host_->decide(event, RunState(), round);
    return round.take().at(0).second;
  }
  /// Names of the events about the callback that came since the last call.
  std::string reported() {
    std::vector<QueueItem> items;
    queue_->take(items);
    std::string text;
    for (const auto& item : items) {
      const Event& event = *item.event;
      text.append(text.empty() ? "" : " ").append(event_info(event.body_case()).name);
      if (event.has_callback_failed() || event.has_callback_event_skipped()) {
        text.append("@").append(std::to_string(event.has_callback_failed()
                                                   ? event.callback_failed().event_seq()
                                                   : event.callback_event_skipped().event_seq()));
      }
      messages.push_back(event.has_callback_failed()     ? event.callback_failed().message()
                         : event.has_callback_detached() ? event.callback_detached().reason()
                                                         : "");
    }
    return text;
  }
  std::vector<std::string> messages;

 private:
  std::shared_ptr<const RunState> state_at(uint64_t seq) const {
    RunState state;
    for (uint64_t i = 0; i < seq; ++i) {
      state.apply(events_[i]);
    }
    return std::make_shared<const RunState>(state);
  }

  TemporaryFolder folder_;
  std::vector<Event> events_;
  std::shared_ptr<EventQueue> queue_ = std::make_shared<EventQueue>(1000);
  std::shared_ptr<CallbackSlot<T>> slot_;
  std::unique_ptr<CallbackHost> host_;
};

const std::vector<uint64_t> kAllSteps = {1, 2, 3, 4, 5, 6, 7, 8};

}  // namespace

TEST_CASE("a host delivers the events that its callback takes") {
  Hosted<HostedCounter> hosted;
  hosted.deliver(1, 8);
  CHECK(hosted.callback().batches == 8);
  CHECK(hosted.host().health().delivered() == 8);
  CHECK(hosted.host().health().lag() == 0);
  CHECK(hosted.reported().empty());
}

TEST_CASE("a callback without state that throws is made anew with every event of the run, none missed or doubled") {
  Hosted<StepKeeper> hosted;
  (*hosted.callback().faults)[4] = 1;
  hosted.deliver(1, 8);
  CHECK(hosted.callback().steps == kAllSteps);
  CHECK(hosted.reported() == "CallbackFailed@5 CallbackRestarted");
  CHECK(hosted.messages[0] == "TrainBatchEnded: no step 4");
  CHECK(hosted.host().health().restarts() == 1);
}

TEST_CASE("an event that fails twice is skipped, and leaves no trace in the callback") {
  Hosted<StepKeeper> hosted;
  (*hosted.callback().faults)[4] = 2;
  hosted.deliver(1, 8);
  CHECK(hosted.callback().steps == std::vector<uint64_t>{1, 2, 3, 5, 6, 7, 8});
  CHECK(hosted.reported() ==
        "CallbackFailed@5 CallbackRestarted CallbackFailed@5 CallbackRestarted CallbackEventSkipped@5");
  CHECK(hosted.host().health().skipped() == 1);
}

TEST_CASE("an event that was skipped stays skipped when a later one fails") {
  Hosted<StepKeeper> hosted;
  (*hosted.callback().faults)[2] = 2;
  (*hosted.callback().faults)[6] = 1;
  hosted.deliver(1, 8);
  CHECK(hosted.callback().steps == std::vector<uint64_t>{1, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("a hook that fails while events are delivered again is tried once more as well") {
  Hosted<StepKeeper> hosted;
  hosted.deliver(1, 3);
  (*hosted.callback().faults)[2] = 1;
  (*hosted.callback().faults)[4] = 1;
  hosted.deliver(4, 8);
  CHECK(hosted.callback().steps == kAllSteps);
  CHECK(hosted.reported() == "CallbackFailed@5 CallbackRestarted CallbackFailed@3 CallbackRestarted");
}

TEST_CASE("a restarted callback goes on from the state that was captured last") {
  Hosted<HostedCounter> hosted;
  hosted.deliver(1, 3);
  CHECK(StateDict(hosted.capture(4).state()).get_int("batches") == 3);
  (*hosted.callback().faults)[5] = 1;
  hosted.deliver(4, 8);
  CHECK(hosted.callback().batches == 8);
  CHECK(hosted.callback().loss_sum ==
        doctest::Approx(1 + 1 / 2. + 1 / 3. + 1 / 4. + 1 / 5. + 1 / 6. + 1 / 7. + 1 / 8.));
  CHECK(hosted.reported() == "CallbackFailed@6 CallbackRestarted");
  CHECK(hosted.host().health().delivered() == 8 + 1);  // Step 4 came twice.
}

TEST_CASE("after max_restarts the callback is detached, and nothing more is delivered") {
  CallbackPolicy policy;
  policy.max_restarts = 3;
  Hosted<StepKeeper> hosted({}, policy);
  (*hosted.callback().faults)[2] = 2;
  (*hosted.callback().faults)[3] = 2;
  hosted.deliver(1, 8);
  CHECK(hosted.host().lane().detached());
  CHECK(hosted.reported().ends_with("CallbackFailed@4 CallbackDetached"));
  CHECK(hosted.messages.back() == "its hooks failed again after 3 restarts");
  hosted.deliver(5, 6);
  CHECK(hosted.host().health().restarts() == 3);
}

TEST_CASE("a callback that cannot be made anew is detached when it throws") {
  Hosted<Uncopyable> hosted;
  (*hosted.callback().faults)[2] = 1;
  hosted.deliver(1, 4);
  CHECK(hosted.callback().batches == 2);
  CHECK(hosted.reported() == "CallbackFailed@3 CallbackDetached");
  CHECK(hosted.messages.back() == "its hook failed, and it cannot be restarted");
}

TEST_CASE("without redelivery a restarted callback goes on with the next event") {
  CallbackPolicy policy;
  policy.redeliver = false;
  Hosted<StepKeeper> hosted({}, policy);
  (*hosted.callback().faults)[4] = 1;
  hosted.deliver(1, 8);
  CHECK(hosted.callback().steps == std::vector<uint64_t>{5, 6, 7, 8});
  CHECK(hosted.reported() == "CallbackFailed@5 CallbackRestarted CallbackEventSkipped@5");
}

TEST_CASE("what an observer emits is not emitted again when events are delivered to it again") {
  Hosted<Emitter> hosted;
  (*hosted.callback().faults)[3] = 1;
  hosted.deliver(1, 4);
  CHECK(hosted.reported() ==
        "CallbackEmitted CallbackEmitted CallbackFailed@4 CallbackRestarted CallbackEmitted CallbackEmitted");
}

TEST_CASE("events that the lane had no room for are read from the log, each with its RunState") {
  CallbackPolicy policy;
  policy.lane = LanePolicy::kSpill;
  policy.lane_events_max = 2;
  Hosted<StepKeeper> hosted({}, policy);
  hosted.add(1, 2);
  hosted.add(3, 5);
  hosted.add(6, 6);
  CHECK(hosted.host().lane().queued() == 2);
  hosted.work();
  hosted.deliver(7, 8);
  CHECK(hosted.callback().steps == kAllSteps);
  CHECK(hosted.host().health().dropped() == 0);
}

TEST_CASE("a callback that fails while it catches up misses nothing and takes nothing twice") {
  CallbackPolicy policy;
  policy.lane = LanePolicy::kSpill;
  policy.lane_events_max = 1;
  Hosted<StepKeeper> hosted({}, policy);
  (*hosted.callback().faults)[5] = 1;
  hosted.add(1, 8);
  hosted.work();
  CHECK(hosted.callback().steps == kAllSteps);
}

TEST_CASE("a callback whose saved state is older than the checkpoint is brought up to date from the log") {
  v1::CallbackState saved;
  saved.set_state_key("counter");
  saved.set_seq(3);  // After step 2.
  StateDict state;
  state.set("batches", int64_t{2});
  state.set("loss_sum", 1.5);
  *saved.mutable_state() = state.proto();
  Hosted<HostedCounter> hosted({}, {}, saved, 6);  // The checkpoint was taken after step 5.
  hosted.deliver(6, 8);
  CHECK(hosted.callback().batches == 8);
}

TEST_CASE("a controller's commands are the answer, and the error of its observer hook is the next one") {
  Hosted<Judge> hosted;
  CHECK(hosted.decide().commands.at(0).stop().reason() == "counted 0");
  (*hosted.callback().faults)[1] = 1;
  hosted.deliver(1, 2);
  CHECK_FALSE(hosted.host().lane().detached());
  CHECK(hosted.decide().error == "TrainBatchEnded: cannot count on");
}

TEST_CASE("a controller that may be detached says so when its hook fails") {
  CallbackPolicy policy;
  policy.on_failure = FailurePolicy::kDetach;
  Judge judge;
  judge.fails = true;
  Hosted<Judge> hosted(judge, policy);
  CHECK(hosted.decide().detached);
  CHECK(hosted.decide().detached);
  CHECK(hosted.reported() == "CallbackFailed@0 CallbackDetached");
}

TEST_CASE("a controller is asked what it commands, an error fails the run") {
  Judge judge;
  judge.fails = true;
  Hosted<Judge> hosted(judge);
  const auto answer = hosted.decide();
  CHECK(answer.error == "no judgement");
  CHECK_FALSE(answer.detached);
}

TEST_CASE("the captured state is that after the events before it; a detached callback has none") {
  CallbackPolicy policy;
  policy.max_restarts = 0;
  Hosted<HostedCounter> hosted({}, policy);
  hosted.deliver(1, 3);
  const auto state = hosted.capture(4);
  CHECK(state.seq() == 4);
  CHECK(StateDict(state.state()).get_int("batches") == 3);
  CHECK(hosted.host().last_state().get().seq() == 4);
  (*hosted.callback().faults)[4] = 1;
  hosted.deliver(4, 4);
  CHECK_FALSE(hosted.capture(9).has_state());
  CHECK_FALSE(hosted.host().last_state().get().has_state());
}

TEST_CASE("a callback on loan belongs to the borrower until it is given back") {
  Hosted<HostedCounter> hosted;
  CallbackLoan loan;
  std::thread owner([&] { hosted.host().lend(loan); });
  REQUIRE(loan.wait(std::chrono::seconds(10)));
  CHECK(loan.callback()->info().state_key == "counter");
  loan.give_back();
  owner.join();
}

TEST_CASE("a collector names who has not answered, and drops whom it does not expect") {
  DrainCollector drained({"a", "b"});
  drained.add("c", {});
  drained.add("a", {});
  drained.add("a", {});
  CHECK(drained.wait(std::chrono::milliseconds(0)) == std::vector<std::string>{"b"});
  CHECK(drained.take().size() == 1);
}
