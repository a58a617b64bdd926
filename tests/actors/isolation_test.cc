// A callback cannot hurt a run: every way to fail, in every kind of hook, leaves weights as they are without the
// callback, or fails the run with its name where its policy says so.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/loop/live.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

/// Holds hooks back until it is opened.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [&] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

enum class Fault { kThrow, kHang, kSleep, kAllocate };

/// Whether a controller that does this still answers.
bool answers(Fault fault) {
  return fault == Fault::kSleep || fault == Fault::kAllocate;
}

/// Does wrong on every call, or on the first `times` of them.
struct Misbehaviour {
  Fault fault = Fault::kThrow;
  int times = 1 << 20;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::shared_ptr<std::vector<std::vector<char>>> leak = std::make_shared<std::vector<std::vector<char>>>();
  std::shared_ptr<std::atomic<int>> calls =
      std::make_shared<std::atomic<int>>(0);  // A hook that hangs outlives its run.

  void operator()() const {
    if (++*calls > times) {
      return;
    }
    constexpr size_t kLeakAtOnce = size_t{32} << 20;
    constexpr size_t kLeaksMax = 2;
    switch (fault) {
      case Fault::kThrow:
        throw std::runtime_error("no, thanks");
      case Fault::kHang:
        gate->wait();
        break;
      case Fault::kSleep:
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        break;
      case Fault::kAllocate:
        if (leak->size() < kLeaksMax) {
          leak->emplace_back(kLeakAtOnce, 'x');
        }
        break;
    }
  }
};

template <class E>
struct BadObserver {
  Misbehaviour misbehave;
  void on(const E& /*event*/) { misbehave(); }
};

template <class E>
struct BadController {
  Misbehaviour misbehave;
  void on(const E& /*event*/, Control& control) {
    misbehave();
    if (!answers(misbehave.fault)) {
      control.set_learning_rate(0.5);  // Must not come through.
    }
  }
};

template <class E>
struct BadLive {
  Misbehaviour misbehave;
  void on(const E& /*event*/, Live& live) {
    misbehave();
    if (!answers(misbehave.fault)) {
      live.control().set_learning_rate(0.5);  // Must not come through.
    }
  }
};

/// Its state cannot be had.
struct BadState {
  Misbehaviour misbehave;
  std::shared_ptr<int> asked = std::make_shared<int>(0);
  StateDict state_dict() const {
    if (++*asked > 1) {  // The start of the run asks first.
      misbehave();
    }
    return {};
  }
  void load_state_dict(const StateDict& /*state*/) {}
};

struct BadSaver : BadState {
  void on(const TrainBatchEnded& /*event*/) {}
};

struct BadSavingController : BadState {
  void on(const TrainBatchEnded& /*event*/, Control& /*control*/) {}
};

TrainerOptions options_of(const fs::path& run_dir) {
  auto options = tiny_options(run_dir);
  options.enable_checkpointing = true;
  options.drain_deadline_s = 0.05;
  options.controller_deadline_s = 0.25;  // Those that answer do so in time on a busy machine too.
  return options;
}

template <class Prepare>
std::vector<float> weights_after(const fs::path& run_dir, Prepare&& prepare) {
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(options_of(run_dir));
  prepare(trainer);
  trainer.fit(module, data);
  CHECK(verify_event_log(run_dir / "events").ended);
  return weights_of(module);
}

/// The error that a fit ends with.
template <class Prepare>
std::string error_after(const fs::path& run_dir, Prepare&& prepare) {
  try {
    weights_after(run_dir, std::forward<Prepare>(prepare));
  } catch (const CallbackError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

template <class Body>
void for_every_fault(Body&& body) {
  for (const Fault fault : {Fault::kThrow, Fault::kHang, Fault::kSleep, Fault::kAllocate}) {
    CAPTURE(static_cast<int>(fault));
    Misbehaviour misbehave;
    misbehave.fault = fault;
    body(misbehave);
    misbehave.gate->open();
  }
}

/// One kind of hook against every fault.
template <class E>
void check_hook() {
  CAPTURE(EventTraits<E>::kType);
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  int number = 0;
  const auto run_dir = [&] { return folder.path() / std::to_string(number++); };
  const auto without = weights_after(run_dir(), [](Trainer&) {});
  for_every_fault([&](const Misbehaviour& misbehave) {
    CHECK(weights_after(run_dir(), [&](Trainer& trainer) { trainer.add(BadObserver<E>{misbehave}, "bad"); }) ==
          without);
  });
  CallbackPolicy detached;
  detached.on_failure = FailurePolicy::kDetach;
  detached.on_deadline = DeadlinePolicy::kDetach;
  for_every_fault([&](const Misbehaviour& misbehave) {
    const auto with = [&](Trainer& trainer) { trainer.add(BadController<E>{misbehave}, "bad", detached); };
    CHECK(weights_after(run_dir(), with) == without);
  });
  const auto check_failing = [&](const Misbehaviour& misbehave, const auto& with) {
    if (answers(misbehave.fault)) {
      CHECK(weights_after(run_dir(), with) == without);
      return;
    }
    const auto text = error_after(run_dir(), with);
    CAPTURE(text);
    CHECK(text.starts_with("callback bad "));
    CHECK(text.find(event_info(EventTraits<E>::kType).name) != std::string::npos);
  };
  for_every_fault([&](const Misbehaviour& misbehave) {
    check_failing(misbehave, [&](Trainer& trainer) { trainer.add(BadController<E>{misbehave}, "bad"); });
  });
  for_every_fault([&](const Misbehaviour& misbehave) {  // A Live hook has no deadline: one that hangs, hangs the loop.
    if (misbehave.fault != Fault::kHang) {
      check_failing(misbehave, [&](Trainer& trainer) { trainer.add(BadLive<E>{misbehave}, "bad"); });
      const auto with = [&](Trainer& trainer) { trainer.add(BadLive<E>{misbehave}, "bad", detached); };
      CHECK(weights_after(run_dir(), with) == without);
    }
  });
  const fs::path waited = run_dir();
  CallbackPolicy patient;
  patient.on_deadline = DeadlinePolicy::kWait;
  patient.deadline_s = 1e-6;
  for_every_fault([&](const Misbehaviour& misbehave) {
    if (misbehave.fault != Fault::kHang) {  // Which comes next.
      check_failing(misbehave, [&](Trainer& trainer) { trainer.add(BadController<E>{misbehave}, "bad", patient); });
    }
  });
  const auto with_late_one = [&](Trainer& trainer) {
    const auto gate = std::make_shared<Gate>();
    trainer.on<E>(
        "late", [gate](const E&, Control&) { gate->wait(); }, patient);
    trainer.on<CallbackFailed>("opener", [gate](const CallbackFailed&) { gate->open(); });
  };
  CHECK(weights_after(waited, with_late_one) == without);
  CHECK(events_of<CallbackFailed>(waited).at(0).callback_failed().state_key() == "late");
}

/// How many events a callback had not taken when it was detached at the end.
int64_t events_behind(const Event& detached) {
  const std::string& reason = detached.callback_detached().reason();
  const std::string before = "it had not taken ";
  REQUIRE(reason.starts_with(before));
  return std::stoll(reason.substr(before.size()));
}

/// Adds up what it sees; every part of it is state.
struct Adder {
  std::vector<uint64_t> steps;
  Misbehaviour misbehave;
  void on(const TrainBatchEnded& /*event*/, const RunState& run) {
    steps.push_back(run.global_step());
    if (run.global_step() == 5) {
      misbehave();
    }
  }
};

}  // namespace

TEST_CASE("nothing that a batch hook does wrong changes the weights, or the run fails with its name") {
  check_hook<TrainBatchEnded>();
}

TEST_CASE("nothing that an epoch hook does wrong changes the weights, or the run fails with its name") {
  check_hook<TrainEpochEnded>();
}

TEST_CASE("nothing that a validation hook does wrong changes the weights, or the run fails with its name") {
  check_hook<ValidationEnded>();
}

TEST_CASE("nothing that a checkpoint hook does wrong changes the weights or keeps a checkpoint from being written") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  const auto without = weights_after(folder.path() / "without", [](Trainer&) {});
  for_every_fault([&](const Misbehaviour& misbehave) {
    const fs::path taken = folder.path() / ("taken" + std::to_string(static_cast<int>(misbehave.fault)));
    const fs::path saved = folder.path() / ("saved" + std::to_string(static_cast<int>(misbehave.fault)));
    const fs::path state = folder.path() / ("state" + std::to_string(static_cast<int>(misbehave.fault)));
    CHECK(weights_after(taken, [&](Trainer& t) { t.add(BadObserver<CheckpointTaken>{misbehave}, "bad"); }) == without);
    CHECK(weights_after(saved, [&](Trainer& t) { t.add(BadObserver<CheckpointSaved>{misbehave}, "bad"); }) == without);
    CHECK(weights_after(state, [&](Trainer& t) { t.add(BadSaver{{misbehave}}, "bad"); }) == without);
    for (const auto& run_dir : {taken, saved, state}) {
      CHECK(events_of<CheckpointSaved>(run_dir).size() == 2);
      CHECK(shared_events(run_dir) == shared_events(folder.path() / "without"));
    }
  });
}

TEST_CASE("a controller whose state cannot be had is given up, or the run fails with its name, as its policy says") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  const auto without = weights_after(folder.path() / "without", [](Trainer&) {});
  CallbackPolicy detached;
  detached.on_failure = FailurePolicy::kDetach;
  detached.on_deadline = DeadlinePolicy::kDetach;
  for_every_fault([&](const Misbehaviour& misbehave) {
    const std::string name = std::to_string(static_cast<int>(misbehave.fault));
    const auto with = [&](Trainer& trainer) { trainer.add(BadSavingController{{misbehave}}, "bad", detached); };
    CHECK(weights_after(folder.path() / ("detached" + name), with) == without);
    CHECK(events_of<CheckpointSaved>(folder.path() / ("detached" + name)).size() == 2);
  });
  for_every_fault([&](const Misbehaviour& misbehave) {
    const fs::path run_dir = folder.path() / ("failing" + std::to_string(static_cast<int>(misbehave.fault)));
    const auto with = [&](Trainer& trainer) { trainer.add(BadSavingController{{misbehave}}, "bad"); };
    if (answers(misbehave.fault)) {
      CHECK(weights_after(run_dir, with) == without);
    } else {
      CHECK(error_after(run_dir, with).starts_with("callback bad "));
    }
  });
}

TEST_CASE("a restarted callback has missed no event and taken none twice") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  TinyModule module;
  TinyData data;
  Trainer trainer(options_of(folder.path() / "run"));
  Adder adder;
  adder.misbehave.times = 1;
  const auto handle = trainer.add(adder, "adder");
  const auto result = trainer.fit(module, data);
  std::vector<uint64_t> expected(8);
  std::iota(expected.begin(), expected.end(), uint64_t{1});
  CHECK(handle.get().steps == expected);
  CHECK(result.status == v1::RUN_STATUS_FINISHED);
  const auto restarted = events_of<CallbackRestarted>(folder.path() / "run");
  REQUIRE(restarted.size() == 1);
  const auto ended = events_of<RunEnded>(folder.path() / "run").at(0).run_ended();
  const auto& health = ended.callbacks(ended.callbacks_size() - 1);
  CHECK(health.state_key() == "adder");
  CHECK(health.restarts() == 1);
  CHECK(health.failures() == 1);
  CHECK(health.dropped() == 0);
}

TEST_CASE("a callback that is behind for a whole run is bounded by its lane, and the others see every event") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  Misbehaviour hang;
  hang.fault = Fault::kHang;
  CallbackPolicy small;
  small.lane_events_max = 64;
  torch::manual_seed(1);
  TinyModule module;
  TinyData data(1000);
  auto options = options_of(folder.path() / "run");
  options.drain_deadline_s = 3;  // Longer than it takes to see that both shared threads are occupied.
  Trainer trainer(options);
  trainer.add(BadObserver<TrainBatchEnded>{hang}, "first", small);
  trainer.add(BadObserver<TrainBatchEnded>{hang}, "second", small);
  trainer.add(BadObserver<TrainBatchEnded>{hang}, "third", small);
  Adder adder;
  adder.misbehave.times = 0;
  const auto others = trainer.add(adder, "others");
  trainer.fit(module, data);
  hang.gate->open();
  CHECK(others.get().steps.size() == 2000);
  const auto detached = events_of<CallbackDetached>(folder.path() / "run");
  CHECK(detached.size() == 3);
  for (const auto& event : detached) {
    CHECK(events_behind(event) <= 64);
  }
}

TEST_CASE("a callback that sleeps a second over each of 2,000 steps changes nothing but what it gets itself") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  const auto train = [&](const fs::path& run_dir, bool with_sleeper) {
    torch::manual_seed(1);
    TinyModule module;
    TinyData data(1000);
    Trainer trainer(options_of(run_dir));
    if (with_sleeper) {
      CallbackPolicy small;
      small.lane_events_max = 64;
      trainer.on<TrainBatchEnded>(
          "sleeper", [](const TrainBatchEnded&) { std::this_thread::sleep_for(std::chrono::seconds(1)); }, small);
    }
    CHECK(trainer.fit(module, data).state.global_step() == 2000);
    return weights_of(module);
  };
  const fs::path with = folder.path() / "with";
  const fs::path without = folder.path() / "without";
  CHECK(train(with, true) == train(without, false));
  CHECK(shared_events(with) == shared_events(without));
  const auto detached = events_of<CallbackDetached>(with);
  REQUIRE(detached.size() == 1);
  CHECK(events_behind(detached[0]) <= 64);
  const auto ended = events_of<RunEnded>(with).at(0).run_ended();
  CHECK(ended.emit_waits() == 0);
  for (const auto& health : ended.callbacks()) {
    if (health.state_key() == "sleeper") {
      CHECK(health.delivered() + health.dropped() + 64 >= 2000);
      CHECK(health.dropped() > 0);
    }
  }
}
