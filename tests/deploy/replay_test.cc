// A log that a real fit wrote, fed to the callbacks that it was written with, and to variants of them that are wrong.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/captured_stderr.h"
#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/runtime/replay/replay.h"

using namespace troupe;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What is wrong with a Judge.
enum class Fault {
  kNone,
  kComparisonTurned,
  kPatienceOffByOne,
  kStateNotSaved,
  kStateSavedLate,
  kStateNotLoaded,
  kOtherRate,
  kOtherGroup,
  kNoCommand,
  kSecondCommand,
  kOtherReason,
  kOtherPath,
  kAskedMoreOften,
  kAskedLessOften,
  kAskedByTheClock,
  kThrows,
  kObserverMiscounts,
};

/// A controller of everything that decides by its state: lowers the rate at every third step, saves the best epochs,
/// votes to stop when val_loss has not fallen for two validations. The fault changes one thing of it.
template <Fault F>
class Judge {
 public:
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    if constexpr (F == Fault::kThrows) {
      if (control.run().global_step() == 6) {
        throw std::runtime_error("no");
      }
    }
    if (F == Fault::kNoCommand && control.run().global_step() == 6) {
      return;
    }
    const double factor = F == Fault::kOtherRate ? 0.5000001 : 0.5;
    control.set_learning_rate(0.1 * std::pow(factor, static_cast<double>(control.run().global_step())),
                              F == Fault::kOtherGroup ? "lr-SGD" : "");
    if (F == Fault::kSecondCommand && control.run().global_step() == 6) {
      control.log("steps", 6);
    }
  }

  void on(const ValidationEnded& /*event*/, Control& control) {
    if (control.run().sanity_checking()) {
      return;
    }
    // Of a tiny fit the loss falls all the time: what counts is a loss that falls below the half of the best.
    const double loss = *control.run().metric("val_loss");
    const bool better = F == Fault::kComparisonTurned ? loss > best_ / 2 : loss < best_ / 2;
    waits_ = better ? 0 : waits_ + 1;
    best_ = better || best_ > 1e300 ? loss : best_;
    vote(control);
  }

  void on(const RunResumed& /*event*/, Control& control) { vote(control); }

  void on(const TrainEpochEnded& /*event*/, Control& control) {
    v1::SaveCheckpoint save;
    save.set_path("checkpoints/" + std::string(F == Fault::kOtherPath ? "judged" : "judge") + "-" +
                  std::to_string(control.run().epoch()) + ".ckpt");
    control.save_checkpoint(save);
  }

  void on(const CheckpointTaken& /*event*/) { taken_ += F == Fault::kObserverMiscounts && taken_ == 1 ? 2 : 1; }

  std::vector<AskWhen> ask_when() const {
    const int64_t steps = F == Fault::kAskedMoreOften ? 2 : F == Fault::kAskedLessOften ? 6 : 3;
    if (F == Fault::kAskedByTheClock) {
      return {troupe::ask_when<TrainBatchEnded>({.every_n_steps = steps}),
              troupe::ask_when<TrainBatchEnded>({.after_s = 1e-9})};
    }
    return {troupe::ask_when<TrainBatchEnded>({.every_n_steps = steps})};
  }

  StateDict state_dict() const {
    StateDict state;
    state.set("best", F == Fault::kStateNotSaved ? 0.0 : best_);
    state.set("waits", F == Fault::kStateSavedLate ? std::max<int64_t>(waits_ - 1, 0) : waits_);
    state.set("taken", taken_);
    return state;
  }
  void load_state_dict(const StateDict& state) {
    if (F != Fault::kStateNotLoaded) {
      best_ = state.get_double("best");
      waits_ = state.get_int("waits");
    }
    taken_ = state.get_int("taken");
  }
  std::string state_key() const { return "judge"; }

 private:
  void vote(Control& control) {
    const int64_t patience = F == Fault::kPatienceOffByOne ? 3 : 2;
    if (waits_ >= patience) {
      control.stop(std::to_string(waits_) + (F == Fault::kOtherReason ? " in vain" : " without a better loss"));
    }
  }

  double best_ = 1e301;
  int64_t waits_ = 0;
  int64_t taken_ = 0;
};

template <Fault F>
CallbackRegistry registry_with() {
  CallbackRegistry registry;
  register_builtin_callbacks(registry);
  registry.register_callback<Judge<F>>("Judge");
  return registry;
}

/// A run of tiny epochs that a Judge stops, with the built-in callbacks beside it.
struct JudgedRun {
  TemporaryFolder folder;
  fs::path run_dir = folder.path() / "run";
  fs::path scratch = folder.path() / "scratch";
  json callbacks = json::array({{{"type", "Judge"}},
                                {{"type", "ModelCheckpoint"}, {"monitor", "val_loss"}, {"save_top_k", 2}},
                                {{"type", "EarlyStopping"}, {"monitor", "val_loss"}, {"patience", 30}},
                                {{"type", "LearningRateMonitor"}},
                                {{"type", "CSVLogger"}}});

  JudgedRun() {
    fit({}, 0);
    fs::create_directory(scratch);
  }

  /// Stops in the given training step, counted in this process; 0: at the end.
  void fit(const std::string& resume, int64_t stops_at) {
    torch::manual_seed(1);
    TinyModule module;
    int64_t steps = 0;
    module.in_training_step = [&](int64_t) {
      if (++steps == stops_at) {
        std::raise(SIGTERM);
      }
    };
    TinyData data;
    TrainerOptions options = tiny_options(run_dir);
    options.max_epochs = 20;
    options.log_every_n_steps = 1;
    options.enable_checkpointing = true;
    Trainer trainer(options);
    for (auto& callback : registry_with<Fault::kNone>().make_callbacks(callbacks)) {
      trainer.add_callback(std::move(callback));
    }
    trainer.set_config(json{{"trainer", options_to_json(options)}, {"callbacks", callbacks}}.dump());
    trainer.fit(module, data, resume);
  }

  ReplayReport replay(const CallbackRegistry& registry, const std::string& from = {}, const std::string& until = {}) {
    fs::remove_all(scratch);
    fs::create_directory(scratch);
    const troupe::testing::CapturedStderr silence;
    return replay_run(registry, {run_dir, scratch, from, until});
  }

  /// The seq of the first event of a type for which this holds.
  template <EventBody E>
  uint64_t seq_of(const std::function<bool(const Event&)>& is_it) const {
    for (const auto& event : events_of<E>(run_dir)) {
      if (is_it(event)) {
        return event.seq();
      }
    }
    FAIL("no such event");
    return 0;
  }
  uint64_t batch(uint64_t step) const {
    return seq_of<TrainBatchEnded>([=](const Event& event) { return event.position().global_step() == step; });
  }
  /// Of the first checkpoint of the epoch whose file is still there.
  uint64_t checkpoint(uint32_t epoch) const {
    return seq_of<CheckpointTaken>([&](const Event& event) {
      return event.position().epoch() == epoch && fs::exists(run_dir / event.checkpoint_taken().path());
    });
  }
  /// What the Judge voted to stop at.
  uint64_t cause_of_vote() const {
    for (const auto& event : events_of<CommandApplied>(run_dir)) {
      if (event.command_applied().command().has_stop()) {
        return event.command_applied().cause_seq();
      }
    }
    return 0;
  }
  uint64_t first_epoch_end() const {
    return seq_of<TrainEpochEnded>([](const Event&) { return true; });
  }

  template <Fault F>
  void check_caught_at(uint64_t seq) {
    CAPTURE(static_cast<int>(F));
    const auto report = replay(registry_with<F>());
    REQUIRE(report.first_divergence);
    CAPTURE(report.first_divergence->recorded);
    CAPTURE(report.first_divergence->replayed);
    CHECK(report.first_divergence->callback == "judge");
    CHECK(report.first_divergence->seq == seq);
    CHECK(report.first_divergence->recorded != report.first_divergence->replayed);
    CHECK(report.diverged > 0);
  }
};

/// The same, stopped by a signal in its sixth step and resumed.
struct ResumedJudgedRun : JudgedRun {
  ResumedJudgedRun() {
    fs::remove_all(run_dir);
    fit({}, 6);
    fit(run_dir.string(), 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(JudgedRun, "the log of a fit replays: every decision, every state that is still on disk") {
  const auto before = folder_content(run_dir);
  const auto report = replay(registry_with<Fault::kNone>());
  if (report.first_divergence) {
    CAPTURE(report.first_divergence->seq);
    CAPTURE(report.first_divergence->recorded);
    CAPTURE(report.first_divergence->replayed);
    CHECK_FALSE(report.first_divergence.has_value());
  }
  CHECK(report.events == history_of(run_dir).size());
  CHECK(report.diverged == 0);
  uint64_t decisions = events_of<CommandRefused>(run_dir).size();
  for (const auto& event : events_of<CommandApplied>(run_dir)) {
    decisions += event.command_applied().cause_seq() > 0 ? 1 : 0;
  }
  CHECK(report.decisions == decisions);
  CHECK(report.reproduced == decisions);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints")) {
    files += entry.path().extension() == ".ckpt" ? 1 : 0;
  }
  CHECK(report.states_equal == 4 * files);
  CHECK(report.not_replayable.empty());
  CHECK((folder_content(run_dir) == before));
}

TEST_CASE_FIXTURE(ResumedJudgedRun, "a resumed run replays, with the states that its second process loaded") {
  REQUIRE(events_of<RunResumed>(run_dir).size() == 1);
  const auto report = replay(registry_with<Fault::kNone>());
  CHECK(report.diverged == 0);
  CHECK(report.reproduced == report.decisions);
  CHECK(report.decisions > 10);
  CHECK(report.states_equal > 4);
}

TEST_CASE_FIXTURE(JudgedRun, "every wrong variant of a callback is caught at the very event") {
  check_caught_at<Fault::kComparisonTurned>(checkpoint(0));
  check_caught_at<Fault::kPatienceOffByOne>(cause_of_vote());
  check_caught_at<Fault::kStateNotSaved>(checkpoint(0));
  check_caught_at<Fault::kStateSavedLate>(checkpoint(1));
  check_caught_at<Fault::kOtherRate>(batch(3));
  check_caught_at<Fault::kOtherGroup>(batch(3));
  check_caught_at<Fault::kNoCommand>(batch(6));
  check_caught_at<Fault::kSecondCommand>(batch(6));
  check_caught_at<Fault::kOtherReason>(cause_of_vote());
  check_caught_at<Fault::kOtherPath>(first_epoch_end());
  check_caught_at<Fault::kAskedMoreOften>(batch(2));
  check_caught_at<Fault::kAskedLessOften>(batch(3));
  check_caught_at<Fault::kAskedByTheClock>(batch(1));
  check_caught_at<Fault::kThrows>(batch(6));
}

TEST_CASE_FIXTURE(ResumedJudgedRun, "a state that is not loaded, and one of an observer that miscounts, are caught") {
  const auto caught = [&](const CallbackRegistry& registry) {
    const auto report = replay(registry);
    REQUIRE(report.first_divergence);
    CHECK(report.first_divergence->callback == "judge");
    return report.first_divergence->seq;
  };
  const uint64_t resumed = events_of<RunResumed>(run_dir).front().seq();
  CHECK(caught(registry_with<Fault::kStateNotLoaded>()) >= resumed);
  CHECK(caught(registry_with<Fault::kObserverMiscounts>()) == checkpoint(0));
}
