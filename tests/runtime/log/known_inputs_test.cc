#include "troupe/runtime/log/known_inputs.h"

#include <doctest/doctest.h>

#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"

using namespace troupe;

namespace {

v1::InputRecorded learning_rate(double lr) {
  v1::InputRecorded input;
  input.set_from("ann");
  input.mutable_command()->mutable_set_learning_rate()->set_lr(lr);
  return input;
}

v1::InputRecorded clock(v1::ClockDecision::Kind kind, const std::string& state_key, EventType event,
                        uint64_t elapsed_us) {
  v1::InputRecorded input;
  input.set_from("clock");
  input.mutable_clock()->set_kind(kind);
  input.mutable_clock()->set_state_key(state_key);
  input.mutable_clock()->set_event(static_cast<uint32_t>(event));
  input.mutable_clock()->set_elapsed_us(elapsed_us);
  return input;
}

/// A log that is written event by event: seqs are given here.
class GrowingLog {
 public:
  GrowingLog() { add(run_started_event()); }

  void step() { add(batch_event(0, ++steps_)); }
  void input(const v1::InputRecorded& recorded) {
    Event event;
    *event.mutable_input_recorded() = recorded;
    add(event);
  }
  void applied() {
    Event event;
    event.mutable_command_applied()->set_from("ann");
    add(event);
  }
  /// Returns its seq.
  uint64_t checkpoint() {
    Event event;
    event.mutable_checkpoint_taken()->set_path("checkpoints/a.ckpt");
    add(event);
    steps_at_checkpoint_ = steps_;
    return seq_;
  }
  /// The process died; the next one goes on from the checkpoint, which was the event `seq`.
  void resume(uint64_t seq) {
    const uint64_t superseded = seq_ - seq;
    seq_ = seq;
    steps_ = steps_at_checkpoint_;
    add(run_resumed_event(++incarnation_, seq, superseded));
  }
  /// The log was copied up to here, and another run goes on.
  void fork() {
    Event event = run_resumed_event(++incarnation_, seq_, 0);
    event.mutable_run_resumed()->set_forked_from("r1");
    add(event);
  }
  KnownInputs known_after(uint64_t seq) const {
    write_log(folder_.path() / "events", events_);
    auto known = read_known_inputs(folder_.path() / "events", seq);
    std::filesystem::remove_all(folder_.path() / "events");
    return known;
  }

 private:
  void add(Event event) {
    event.set_seq(++seq_);
    events_.push_back(std::move(event));
  }

  TemporaryFolder folder_;
  std::vector<Event> events_;
  uint64_t seq_ = 0;
  uint64_t steps_ = 0;
  uint64_t steps_at_checkpoint_ = 0;
  uint32_t incarnation_ = 1;
};

/// "place:rate" of each.
std::string known_text(const KnownInputs& known) {
  std::string text;
  for (const auto& [place, input] : known.inputs) {
    const double lr = input.command().set_learning_rate().lr();
    text.append(text.empty() ? "" : " ").append(std::to_string(place)).append(":");
    text.append(std::to_string(static_cast<int>(lr)));
  }
  return text;
}

constexpr auto kTrigger = v1::ClockDecision::KIND_TRIGGER;

}  // namespace

TEST_CASE("landmarks are what the loop does, not what inputs, controllers, disks and processes add") {
  CHECK(is_landmark(Event::kTrainBatchEnded));
  CHECK(is_landmark(Event::kValidationStarted));
  CHECK(is_landmark(Event::kFitStarted));
  for (const EventType type : {Event::kInputRecorded, Event::kCommandApplied, Event::kUserEvent, Event::kRunResumed,
                               Event::kCheckpointTaken, Event::kCheckpointSaved, Event::kTrainBatchStarted}) {
    CAPTURE(type);
    CHECK_FALSE(is_landmark(type));
  }
}

TEST_CASE("inputs after the checkpoint are known with their places, those before it are not") {
  GrowingLog log;
  log.input(learning_rate(1));
  log.step();
  log.input(learning_rate(2));
  const uint64_t seq = log.checkpoint();
  log.input(learning_rate(3));
  log.applied();
  log.step();
  log.step();
  log.input(learning_rate(4));
  log.input(learning_rate(5));
  log.step();
  const auto known = log.known_after(seq);
  CHECK(known_text(known) == "0:3 2:4 2:5");
  CHECK(known.landmarks == 3);
  CHECK(known_text(log.known_after(1)) == "0:1 1:2 1:3 3:4 3:5");
}

TEST_CASE("signals and operators' stops are not repeated") {
  GrowingLog log;
  const uint64_t seq = log.checkpoint();
  v1::InputRecorded signal;
  signal.set_signal(15);
  log.input(signal);
  v1::InputRecorded stop;
  stop.mutable_command()->mutable_stop();
  log.input(stop);
  CHECK(log.known_after(seq).inputs.empty());
}

TEST_CASE("what a process had not come to again is still known to the one after it") {
  GrowingLog log;
  const uint64_t seq = log.checkpoint();
  log.step();
  log.input(learning_rate(1));
  log.step();
  log.input(learning_rate(2));
  log.step();
  log.input(learning_rate(3));
  log.resume(seq);
  log.step();
  log.input(learning_rate(1));
  log.step();  // It died before it took the second one again.
  CHECK(known_text(log.known_after(seq)) == "1:1 2:2 3:3");
  CHECK(log.known_after(seq).landmarks == 3);
  log.resume(seq);
  log.step();
  CHECK(known_text(log.known_after(seq)) == "1:1 2:2 3:3");
}

TEST_CASE("a process that ran past a place says what happened there") {
  GrowingLog log;
  const uint64_t seq = log.checkpoint();
  log.step();
  log.input(learning_rate(1));
  log.step();
  log.step();
  log.input(learning_rate(2));
  log.resume(seq);
  log.step();
  log.step();  // The first input was not repeated: another program.
  log.input(learning_rate(9));
  CHECK(known_text(log.known_after(seq)) == "2:9 3:2");
}

TEST_CASE("a checkpoint of a resumed run has the inputs that follow it in either process") {
  GrowingLog log;
  const uint64_t first = log.checkpoint();
  log.step();
  log.input(learning_rate(1));
  log.step();
  log.input(learning_rate(2));
  log.step();
  log.resume(first);
  log.step();
  log.input(learning_rate(1));
  const uint64_t second = log.checkpoint();
  const auto known = log.known_after(second);
  CHECK(known_text(known) == "1:2");
  CHECK(known.landmarks == 2);
}

TEST_CASE("a fork knows its own inputs, and not those of the run that it left") {
  GrowingLog log;
  const uint64_t first = log.checkpoint();
  log.step();
  log.input(learning_rate(1));
  log.step();
  log.input(learning_rate(2));
  log.step();
  log.resume(first);
  const uint64_t second = log.checkpoint();
  CHECK(known_text(log.known_after(second)) == "1:1 2:2");
  log.fork();
  CHECK(known_text(log.known_after(second)).empty());
  CHECK(log.known_after(second).landmarks == 0);
  log.step();
  log.input(learning_rate(3));
  CHECK(known_text(log.known_after(second)) == "1:3");
  CHECK(log.known_after(second).landmarks == 1);
}

TEST_CASE("repeated commands are due at their place, once") {
  RepeatedInputs repeated({{{1, learning_rate(1)}, {1, learning_rate(2)}, {2, learning_rate(3)}}, 2});
  CHECK_FALSE(repeated.any_command());
  repeated.pass(Event::kCommandApplied);
  CHECK_FALSE(repeated.any_command());
  repeated.pass(Event::kTrainBatchEnded);
  CHECK(repeated.any_command());
  const auto commands = repeated.take_commands();
  REQUIRE(commands.size() == 2);
  CHECK(commands[0].command().set_learning_rate().lr() == 1);
  CHECK(commands[1].command().set_learning_rate().lr() == 2);
  CHECK_FALSE(repeated.any_command());
  repeated.pass(Event::kTrainBatchEnded);
  CHECK(repeated.take_commands().size() == 1);
  CHECK_FALSE(repeated.over());
  repeated.pass(Event::kTrainBatchEnded);
  CHECK(repeated.over());
}

TEST_CASE("commands of a place that was passed by are dropped") {
  RepeatedInputs repeated({{{0, learning_rate(1)}}, 1});
  repeated.pass(Event::kTrainBatchEnded);
  CHECK_FALSE(repeated.any_command());
}

TEST_CASE("what the clock decided is known as far as a process came, and not beyond") {
  const auto ended = Event::kTrainBatchEnded;
  RepeatedInputs repeated({{{1, clock(kTrigger, "Timer", ended, 70)}}, 2});
  uint64_t elapsed_us = 0;
  CHECK(repeated.decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kNo);
  repeated.pass(ended);
  CHECK(repeated.decided(kTrigger, "Other", ended, elapsed_us) == DecidedBefore::kNo);
  CHECK(repeated.decided(kTrigger, "Timer", Event::kTrainEpochEnded, elapsed_us) == DecidedBefore::kNo);
  CHECK(repeated.decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kYes);
  CHECK(elapsed_us == 70);
  CHECK(repeated.decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kNo);  // Once.
  repeated.pass(ended);
  CHECK(repeated.decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kUnknown);
  CHECK(RepeatedInputs().decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kUnknown);
}

TEST_CASE("the time is told until which nothing is later that is repeated") {
  const auto ended = Event::kTrainBatchEnded;
  RepeatedInputs repeated({{{0, learning_rate(1)}, {1, clock(kTrigger, "Timer", ended, 70)}}, 2});
  CHECK(repeated.next_decision_us() == 70);
  repeated.pass(ended);
  uint64_t elapsed_us = 0;
  repeated.decided(kTrigger, "Timer", ended, elapsed_us);
  CHECK(repeated.next_decision_us() == std::numeric_limits<uint64_t>::max());
}

TEST_CASE("what clocks had decided before the checkpoint is known, in the effective history") {
  GrowingLog log;
  log.input(clock(kTrigger, "Timer", Event::kTrainBatchEnded, 70));
  log.input(clock(v1::ClockDecision::KIND_VALIDATION, "", Event::BODY_NOT_SET, 75));
  const uint64_t seq = log.checkpoint();
  log.input(clock(kTrigger, "Timer", Event::kTrainBatchEnded, 80));
  log.step();
  log.resume(seq);
  log.input(clock(kTrigger, "Timer", Event::kTrainBatchEnded, 85));
  const uint64_t second = log.checkpoint();
  const auto times = [&](uint64_t after) {
    std::vector<uint64_t> found;
    for (const auto& decision : log.known_after(after).decided) {
      found.push_back(decision.elapsed_us());
    }
    return found;
  };
  CHECK(times(seq) == std::vector<uint64_t>{70});
  CHECK(times(second) == std::vector<uint64_t>{70, 85});
}

TEST_CASE("a decision that was recorded before its event was is known all the same") {
  const auto ended = Event::kTrainBatchEnded;
  RepeatedInputs repeated({{{0, clock(kTrigger, "Timer", ended, 70)}}, 0});
  uint64_t elapsed_us = 0;
  CHECK(repeated.decided(kTrigger, "Timer", ended, elapsed_us) == DecidedBefore::kYes);
}
