// What a resumed run repeats: operators' commands and what clocks decided, at the places where a process that died had
// taken them.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <future>
#include <stdexcept>

#include "tests/support/captured_stderr.h"
#include "tests/support/noisy_fit.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/run_clock.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 2;
constexpr int64_t kNever = -1;

/// One process's part of a run.
struct Part {
  fs::path run_dir;
  std::string resume = {};
  int64_t dies_at = kNever;  ///< Training batch, counted over epochs.
  std::function<void(int64_t batch, Trainer&)> at_batch = {};
  std::function<void(Trainer&)> prepare = {};
  std::function<void(TrainerOptions&)> configure = {};

  RunResult run() const {
    torch::manual_seed(11);
    NoisyModule module(kEpochs * kNoisyTrainBatches);
    NoisyData data;
    TrainerOptions options = tiny_options(run_dir);
    options.max_epochs = kEpochs;
    options.enable_checkpointing = true;
    if (configure) {
      configure(options);
    }
    Trainer trainer(options);
    if (prepare) {
      prepare(trainer);
    }
    module.on_training_step = [&](int64_t batch_index) {
      const int64_t batch = module.current_epoch() * kNoisyTrainBatches + batch_index;
      if (at_batch) {
        at_batch(batch, trainer);
      }
      if (batch == dies_at) {
        throw std::runtime_error("the process dies");
      }
    };
    return trainer.fit(module, data, resume);
  }
  void die() const { CHECK_THROWS_WITH(run(), doctest::Contains("the process dies")); }
};

void save_every(Trainer& trainer, int64_t steps) {
  trainer.add(ModelCheckpoint({.every_n_train_steps = steps, .save_top_k = -1}));
}

v1::Command set_rate(double lr) {
  v1::Command command;
  command.mutable_set_learning_rate()->set_lr(lr);
  return command;
}

/// Sends a learning rate during batch 6, and an accumulation during batch 9.
void send_two(int64_t batch, Trainer& trainer) {
  if (batch == 6) {
    trainer.send(set_rate(0.003), "ann");
  }
  if (batch == 9) {
    v1::Command command;
    command.mutable_set_accumulation()->set_batches(2);
    trainer.send(std::move(command), "bob");
  }
}

const auto save_every_4 = [](Trainer& trainer) { save_every(trainer, 4); };

/// What equal runs have in common: the last checkpoint's items and the events.
Fingerprint fingerprint(const fs::path& run_dir) {
  Fingerprint items;
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints")) {
    if (entry.path().filename().string().find("step=28") != std::string::npos ||
        entry.path().filename().string().find("step=20") != std::string::npos) {
      items = checkpoint_items(entry.path());
    }
  }
  items["events"] = shared_events(run_dir);
  return items;
}

size_t clock_decisions(const fs::path& run_dir) {
  const auto events = events_of<InputRecorded>(run_dir);
  return static_cast<size_t>(
      std::count_if(events.begin(), events.end(), [](const auto& e) { return e.input_recorded().has_clock(); }));
}

/// More than an hour.
void pass_time() {
  run_clock_offset_us += int64_t{4000} * 1000 * 1000;
}

/// Sets a learning rate once, when the run has run for a while.
class LateRate {
 public:
  explicit LateRate(double after_s) : after_s_(after_s) {}
  std::vector<AskWhen> ask_when() const { return {troupe::ask_when<TrainBatchEnded>({.after_s = after_s_})}; }
  void on(const TrainBatchEnded& /*event*/, Control& control) { control.set_learning_rate(0.002); }

 private:
  double after_s_;
};

}  // namespace

TEST_CASE("operators' commands after the checkpoint are carried out again at their places") {
  const TemporaryFolder folder;
  const fs::path whole = folder.path() / "whole";
  Part{.run_dir = whole, .at_batch = send_two, .prepare = save_every_4}.run();
  for (const int64_t dies_at : {7, 8, 10, 11, 13, 19}) {  // After 4 or 8 batches comes the checkpoint it goes on from.
    CAPTURE(dies_at);
    const fs::path broken = folder.path() / ("broken" + std::to_string(dies_at));
    Part{.run_dir = broken, .dies_at = dies_at, .at_batch = send_two, .prepare = save_every_4}.die();
    const bool sent_both = dies_at > 9;
    Part{.run_dir = broken,
         .resume = "last",
         .at_batch =
             [&](int64_t batch, Trainer& trainer) {
               if (batch == 9 && !sent_both) {
                 send_two(batch, trainer);
               }
             },
         .prepare = save_every_4}
        .run();
    CHECK(differences(fingerprint(whole), fingerprint(broken)) == std::set<std::string>{});
  }
}

TEST_CASE("a run that dies before its first checkpoint starts over, with what operators had commanded") {
  const TemporaryFolder folder;
  const fs::path whole = folder.path() / "whole";
  const fs::path broken = folder.path() / "broken";
  const auto save_every_20 = [](Trainer& trainer) { save_every(trainer, 20); };
  Part{.run_dir = whole, .at_batch = send_two, .prepare = save_every_20}.run();
  Part{.run_dir = broken, .dies_at = 11, .at_batch = send_two, .prepare = save_every_20}.die();
  const CapturedStderr captured;
  Part{.run_dir = broken, .resume = broken.string(), .prepare = save_every_20}.run();
  CHECK(captured.text().find("starts over from its beginning") != std::string::npos);
  CHECK(differences(fingerprint(whole), fingerprint(broken)) == std::set<std::string>{});
  const auto resumed = events_of<RunResumed>(broken);
  REQUIRE(resumed.size() == 1);
  CHECK(resumed[0].run_resumed().from_seq() == 1);
}

TEST_CASE("a run whose only saved checkpoint is gone does not start over") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  Part{.run_dir = run_dir, .dies_at = 6, .prepare = save_every_4}.die();
  fs::remove_all(run_dir / "checkpoints");
  CHECK_THROWS_WITH_AS((Part{.run_dir = run_dir, .resume = "last"}.run()), doctest::Contains("which is gone"),
                       CorruptionError);
}

TEST_CASE("what a clock decided after the checkpoint is decided so again") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  // The process that dies is slow at batch 6, and is over the time then. The second is fast, and would never be.
  const auto prepare = [](Trainer& trainer) {
    save_every(trainer, 4);
    trainer.add(LateRate(3600));
  };
  Part{.run_dir = run_dir,
       .dies_at = 9,
       .at_batch =
           [](int64_t batch, Trainer&) {
             if (batch == 6) {
               pass_time();
             }
           },
       .prepare = prepare}
      .die();
  REQUIRE(clock_decisions(run_dir) == 1);
  const uint64_t decided_at = events_of<InputRecorded>(run_dir)[0].elapsed_us();
  fs::remove(run_dir / "checkpoints" / "epoch=0-step=8.ckpt");
  Part{.run_dir = run_dir, .resume = "last", .prepare = prepare}.run();
  REQUIRE(clock_decisions(run_dir) == 1);
  const auto rates = events_of<CommandApplied>(run_dir);
  const auto rate = std::find_if(rates.begin(), rates.end(),
                                 [](const Event& e) { return e.command_applied().command().has_set_learning_rate(); });
  REQUIRE(rate != rates.end());
  CHECK(rate->position().batch_index() == 6);
  // The time is that of the first process there, and goes back nowhere.
  const auto decided = events_of<InputRecorded>(run_dir)[0];
  CHECK(decided.elapsed_us() == decided_at);
  EventHistory history(run_dir / "events");
  uint64_t last_us = 0;
  for (Event event; history.next(event); last_us = event.elapsed_us()) {
    CHECK(event.elapsed_us() >= last_us);
  }
}

TEST_CASE("a clock that decided once does not decide again in a process that goes on after it") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const auto prepare = [](Trainer& trainer) {
    save_every(trainer, 4);
    trainer.add(LateRate(3600));
  };
  const auto slow_start = [](int64_t batch, Trainer&) {
    if (batch == 2) {
      pass_time();
    }
  };
  Part{.run_dir = run_dir, .dies_at = 9, .at_batch = slow_start, .prepare = prepare}.die();
  REQUIRE(clock_decisions(run_dir) == 1);
  Part{.run_dir = run_dir, .resume = "last", .prepare = prepare}.run();
  CHECK(clock_decisions(run_dir) == 1);
}

TEST_CASE("what a clock had not decided by the time a process died is not decided there") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const auto prepare = [](Trainer& trainer) {
    save_every(trainer, 4);
    trainer.add(LateRate(3600));
  };
  Part{.run_dir = run_dir, .dies_at = 9, .prepare = prepare}.die();
  REQUIRE(clock_decisions(run_dir) == 0);
  fs::remove(run_dir / "checkpoints" / "epoch=0-step=8.ckpt");
  const auto slow_start = [](int64_t batch, Trainer&) {
    if (batch == 5) {
      pass_time();
    }
  };
  Part{.run_dir = run_dir, .resume = "last", .at_batch = slow_start, .prepare = prepare}.run();
  const auto inputs = events_of<InputRecorded>(run_dir);
  REQUIRE(inputs.size() == 1);
  CHECK(inputs[0].position().batch_index() == 9);  // The first batch that nobody had come to.
}

TEST_CASE("a validation that a clock had decided on is made at the same place again") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const auto every_hour = [](TrainerOptions& options) { options.val_check_interval = "00:01:00:00"; };
  Part{.run_dir = run_dir,
       .dies_at = 9,
       .at_batch =
           [](int64_t batch, Trainer&) {
             if (batch == 6) {
               pass_time();
             }
           },
       .prepare = save_every_4,
       .configure = every_hour}
      .die();
  fs::remove(run_dir / "checkpoints" / "epoch=0-step=8.ckpt");
  Part{.run_dir = run_dir, .resume = "last", .prepare = save_every_4, .configure = every_hour}.run();
  const auto validations = events_of<ValidationStarted>(run_dir);
  const auto made = std::find_if(validations.begin(), validations.end(),
                                 [](const Event& e) { return e.position().stage() == v1::STAGE_VALIDATE; });
  REQUIRE(made != validations.end());
  CHECK(made->position().global_step() == 7);
}

TEST_CASE("a controller that was given up at its deadline is given up there again") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  for (const bool first : {true, false}) {
    const auto detached = std::make_shared<std::promise<void>>();
    const auto late = detached->get_future().share();
    const auto prepare = [&](Trainer& trainer) {
      save_every(trainer, 4);
      trainer.on<CallbackDetached>("watcher", [detached](const CallbackDetached&) { detached->set_value(); });
      trainer.on<TrainBatchEnded>("slow",
                                  [first, late](const TrainBatchEnded&, Control& control) {
                                    if (first && control.run().global_step() == 7) {
                                      late.wait();
                                    }
                                    control.log("asked", static_cast<double>(control.run().global_step()));
                                  },
                                  {.deadline_s = 2, .on_deadline = DeadlinePolicy::kDetach});
    };
    if (first) {
      Part{.run_dir = run_dir, .dies_at = 10, .prepare = prepare}.die();
      fs::remove(run_dir / "checkpoints" / "epoch=0-step=8.ckpt");
    } else {
      Part{.run_dir = run_dir, .resume = "last", .prepare = prepare}.run();
    }
  }
  double last_asked = 0;
  for (const auto& event : events_of<CommandApplied>(run_dir)) {
    const auto& command = event.command_applied().command();
    last_asked = command.has_log_metric() ? command.log_metric().value() : last_asked;
  }
  CHECK(last_asked == 6);
  CHECK(clock_decisions(run_dir) == 1);
}
