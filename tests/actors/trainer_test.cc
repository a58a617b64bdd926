#include "troupe/actors/trainer.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <future>

#include "tests/support/captured_stderr.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

/// What fit throws, as text.
template <class Exception>
std::string failure_of(Trainer& trainer, const std::string& resume = {}) {
  TinyModule module;
  TinyData data;
  try {
    trainer.fit(module, data, resume);
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

struct Thrower {
  void on(const TrainBatchEnded& /*event*/) { throw std::runtime_error("no, thanks"); }
};

struct Commander {
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    if (control.run().global_step() == 2) {
      control.set_learning_rate(0.25);
      control.log("half", 0.5);
      control.set_learning_rate(0.5, "lr-Adam");
    }
  }
};

struct Voter {
  uint64_t vote_at = 0;
  uint64_t withdraw_at = 0;
  void on(const TrainBatchEnded& /*event*/, Control& control) {
    if (control.run().global_step() == vote_at) {
      control.stop("enough");
    }
    if (control.run().global_step() == withdraw_at) {
      control.withdraw_stop();
    }
  }
};

}  // namespace

TEST_CASE("a fit is a log of events with seqs from 1 without gaps that verifies") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  trained_weights(run_dir,
                  [](Trainer& trainer) { trainer.on<TrainEpochEnded>("nobody", [](const TrainEpochEnded&) {}); });
  const auto events = history_of(run_dir);
  for (size_t i = 0; i < events.size(); ++i) {
    REQUIRE(events[i].seq() == i + 1);
  }
  CHECK(events.front().has_run_started());
  CHECK(events.back().has_run_ended());
  CHECK(events_of<TrainBatchEnded>(run_dir).size() == 8);
  CHECK(events_of<TrainBatchStarted>(run_dir).empty());
  CHECK(verify_event_log(run_dir / "events").sound());
}

TEST_CASE("an observer that throws again and again is detached, and training is as if it had not been there") {
  const TemporaryFolder folder;
  const auto without = trained_weights(folder.path() / "without", [](Trainer&) {});
  const CapturedStderr quiet;
  const auto with =
      trained_weights(folder.path() / "with", [](Trainer& trainer) { trainer.add(Thrower{}, "thrower"); });
  CHECK(with == without);
  const auto failures = events_of<CallbackFailed>(folder.path() / "with");
  REQUIRE(failures.size() == 6);  // The first time, and after each of five restarts.
  CHECK(failures[0].callback_failed().state_key() == "thrower");
  CHECK(failures[0].callback_failed().message() == "TrainBatchEnded: no, thanks");
  CHECK(events_of<CallbackRestarted>(folder.path() / "with").size() == 5);
  CHECK(events_of<CallbackDetached>(folder.path() / "with").size() == 1);
}

TEST_CASE("a controller that throws fails the run with its name and message") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.on<TrainEpochEnded>("judge", [](const TrainEpochEnded&, Control&) { throw std::runtime_error("guilty"); });
  CHECK(failure_of<CallbackError>(trainer) == "callback judge failed at TrainEpochEnded: guilty");
  const auto events = history_of(folder.path() / "run");
  CHECK(events.back().run_ended().status() == v1::RUN_STATUS_FAILED);
  CHECK(events_of<ExceptionRaised>(folder.path() / "run").size() == 1);
  CHECK(events_of<TornDown>(folder.path() / "run").size() == 1);
}

TEST_CASE("a controller that misses its deadline fails the run with its name") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.controller_deadline_s = 0.05;
  options.drain_deadline_s = 0.05;
  std::promise<void> let_go;
  Trainer trainer(options);
  trainer.on<TrainEpochEnded>("sleeper", [let_go = let_go.get_future().share()](const TrainEpochEnded&, Control&) {
    let_go.wait();  // Its thread is left behind: nothing of the test's own may be in here.
  });
  const CapturedStderr quiet;
  CHECK(failure_of<CallbackError>(trainer).starts_with("callback sleeper did not answer TrainEpochEnded within"));
  let_go.set_value();
}

TEST_CASE("what a module throws reaches the caller, and the log says so") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  TinyModule module;
  TinyData data;
  module.in_training_step = [](int64_t batch_index) {
    if (batch_index == 2) {
      throw std::domain_error("not a number");
    }
  };
  CHECK_THROWS_AS(trainer.fit(module, data), std::domain_error);
  const auto raised = events_of<ExceptionRaised>(folder.path() / "run");
  REQUIRE(raised.size() == 1);
  CHECK(raised[0].exception_raised().type() == "std::domain_error");
  CHECK(raised[0].exception_raised().message() == "not a number");
  CHECK(events_of<TrainBatchEnded>(folder.path() / "run").size() == 2);
  CHECK(verify_event_log(folder.path() / "run" / "events").ended);
}

TEST_CASE("an exception whose text is not UTF-8 reaches the caller as it is, and leaves a log that verifies") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  TinyModule module;
  TinyData data;
  module.in_training_step = [](int64_t) { throw std::runtime_error("not UTF-8: \xff"); };
  CHECK_THROWS_WITH_AS(trainer.fit(module, data), "not UTF-8: \xff", std::runtime_error);
  const auto report = verify_event_log(folder.path() / "run" / "events");
  CHECK(report.sound());
  CHECK(report.ended);
  const auto raised = events_of<ExceptionRaised>(folder.path() / "run");
  REQUIRE(raised.size() == 1);
  CHECK(raised[0].exception_raised().message() == "not UTF-8: \xef\xbf\xbd");
}

TEST_CASE("commands are applied where they were given and recorded, and refused with the reason") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const CapturedStderr quiet;
  trained_weights(run_dir, [](Trainer& trainer) { trainer.add(Commander{}, "commander"); });
  const auto applied = events_of<CommandApplied>(run_dir);
  REQUIRE(applied.size() == 2);
  CHECK(applied[0].command_applied().command().set_learning_rate().lr() == 0.25);
  CHECK(applied[0].position().global_step() == 2);
  CHECK(applied[1].command_applied().command().log_metric().name() == "half");
  const auto refused = events_of<CommandRefused>(run_dir);
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].command_refused().reason() == "no parameter group 'lr-Adam'; there are lr-SGD");
  const auto state = fold_event_log(run_dir / "events");
  CHECK(state.metric("half") == 0.5);
  CHECK(state.metric("lr-SGD") == 0.25);
}

TEST_CASE("a vote stops the run in the middle of an epoch, after a validation") {
  const TemporaryFolder folder;
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.add(Voter{3, 0}, "voter");
  const auto result = trainer.fit(module, data);
  CHECK(result.status == v1::RUN_STATUS_STOPPED);
  CHECK(result.stopped_by == "voter");
  CHECK(result.stop_reason == "enough");
  CHECK(result.state.global_step() == 3);
  CHECK(result.state.validations() == 1);
  CHECK(result.state.epochs_completed() == 1);
}

TEST_CASE("a vote waits for min_steps, and can be withdrawn until then") {
  const TemporaryFolder folder;
  TinyModule module;
  TinyData data;
  auto options = tiny_options(folder.path() / "run");
  options.min_steps = 6;
  SUBCASE("it stands") {
    Trainer trainer(options);
    trainer.add(Voter{3, 0}, "voter");
    CHECK(trainer.fit(module, data).state.global_step() == 6);
  }
  SUBCASE("it is withdrawn") {
    Trainer trainer(options);
    trainer.add(Voter{3, 5}, "voter");
    const auto result = trainer.fit(module, data);
    CHECK(result.status == v1::RUN_STATUS_FINISHED);
    CHECK(result.state.global_step() == 8);
  }
}

TEST_CASE("a run ends at the first batch after max_time, and what the clock decided is in the log before the vote") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.max_epochs = -1;
  options.max_time = "00:00:00:01";
  TinyModule module;
  TinyData data;
  Trainer trainer(options);
  const CapturedStderr quiet;
  const auto result = trainer.fit(module, data);
  CHECK(result.stopped_by == "Timer");
  CHECK(result.stop_reason == "time limit of 00:00:00:01 reached");
  std::vector<std::string> story;
  for (const auto& event : history_of(folder.path() / "run")) {
    if (event.has_input_recorded()) {
      CHECK(event.input_recorded().clock().state_key() == "Timer");
      CHECK(event.elapsed_us() >= 1'000'000);
      story.emplace_back("clock");
    } else if (event.has_command_applied() && event.command_applied().command().has_stop()) {
      story.emplace_back("vote");
    }
  }
  CHECK(story == std::vector<std::string>{"clock", "vote"});
}

TEST_CASE("wrong use is refused before anything is written") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.add(Voter{}, "voter");
  CHECK_THROWS_WITH_AS(trainer.add(Voter{}, "voter"),
                       "Trainer: two callbacks have the state key 'voter'; give one a name of its own", ConfigError);
  CHECK(failure_of<ConfigError>(trainer, "nowhere").starts_with("resume 'nowhere': no such file or folder"));
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}

TEST_CASE("a run directory takes one run") {
  const TemporaryFolder folder;
  trained_weights(folder.path() / "run", [](Trainer&) {});
  Trainer trainer(tiny_options(folder.path() / "run"));
  CHECK(failure_of<ConfigError>(trainer).find("holds a run already") != std::string::npos);
}

TEST_CASE("a metric that is never logged fails the run with its name") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.add(EarlyStopping({.monitor = "accuracy"}));
  const std::string text = failure_of<CallbackError>(trainer);
  CAPTURE(text);
  CHECK(text.find("accuracy") != std::string::npos);
  CHECK(text.find("val_loss") != std::string::npos);
}

TEST_CASE("a checkpoint of another model is refused with the names that differ, and nothing is changed") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.enable_checkpointing = true;
  TinyModule module;
  TinyData data;
  Trainer(options).fit(module, data);
  TinyModule other(3);
  TinyData other_data(4, 3);
  const auto before = weights_of(other);
  CHECK_THROWS_WITH_AS(
      Trainer(options).fit(other, other_data, "last"),
      "the checkpoint is of another model: of another shape: linear.weight (checkpoint [2, 4] float, model [3, 4] "
      "float), linear.bias (checkpoint [2] float, model [3] float)",
      MismatchError);
  CHECK(weights_of(other) == before);
}

TEST_CASE("a run cannot go on from a checkpoint of weights only, and the error says what is missing in it") {
  const TemporaryFolder folder;
  const std::string imported = (folder.path() / "imported.ckpt").string();
  CheckpointParts parts;
  parts.header.set_weights_only(true);
  parts.header.set_imported_from("model.safetensors");
  write_checkpoint(imported, parts);
  Trainer trainer(tiny_options(folder.path() / "run"));
  CHECK(failure_of<ConfigError>(trainer, imported)
            .starts_with("resume " + imported +
                         ": a checkpoint of weights only, imported from model.safetensors: it has no loop position, no "
                         "optimizers, no random generator state and no callback states"));
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}

TEST_CASE("what the module adds to a checkpoint of weights alone comes back in an evaluation of it") {
  struct Vocabulary : TinyModule {
    void on_save_checkpoint(StateDict& state) override { state.set("words", words); }
    void on_load_checkpoint(const StateDict& state) override { words = state.empty() ? -1 : state.get_int("words"); }
    int64_t words = 0;
  };
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  trainer.on<TrainEpochEnded>("saver", [](const TrainEpochEnded&, Control& control) {
    v1::SaveCheckpoint save;
    save.set_path("checkpoints/weights.ckpt");
    save.set_weights_only(true);
    control.save_checkpoint(save);
  });
  TinyData data;
  Vocabulary module;
  module.words = 7;
  trainer.fit(module, data);
  Vocabulary fresh;
  Trainer(tiny_options(folder.path() / "test"))
      .test(fresh, data, (folder.path() / "run" / "checkpoints" / "weights.ckpt").string());
  CHECK(fresh.words == 7);
  CHECK(weights_of(fresh) == weights_of(module));
}

TEST_CASE("a log that cannot be written fails the run") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  TinyModule module;
  TinyData data(100000);
  {
    const FileSizeLimit limit(20000);
    CHECK_THROWS_AS(trainer.fit(module, data), IoError);
  }
  struct sigaction signal {};
  sigaction(SIGXFSZ, nullptr, &signal);
  CHECK((signal.sa_handler == SIG_DFL));  // It would have ended the process.
}

TEST_CASE("a checkpoint that cannot be written is reported, and training goes on") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const fs::path blocked = folder.path() / "file";
  std::ofstream(blocked) << "not a folder";
  const CapturedStderr quiet;
  trained_weights(run_dir, [&](Trainer& trainer) {
    trainer.on<TrainEpochEnded>("saver", [&](const TrainEpochEnded&, Control& control) {
      v1::SaveCheckpoint save;
      save.set_path((blocked / "x.ckpt").string());
      control.save_checkpoint(save);
    });
  });
  CHECK(events_of<CheckpointFailed>(run_dir).size() == 2);
  CHECK(events_of<CheckpointSaved>(run_dir).empty());
}

TEST_CASE("an older checkpoint stays when the one that replaces it could not be written") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  const fs::path blocked = folder.path() / "file";
  std::ofstream(blocked) << "not a folder";
  const CapturedStderr quiet;
  trained_weights(run_dir, [&](Trainer& trainer) {
    trainer.on<TrainEpochEnded>("saver", [&](const TrainEpochEnded&, Control& control) {
      const auto save = [&](const std::string& path) {
        v1::SaveCheckpoint command;
        command.set_path(path);
        control.save_checkpoint(command);
      };
      if (control.run().epoch() == 0) {
        save("checkpoints/old.ckpt");
        return;
      }
      save((blocked / "new.ckpt").string());
      save("checkpoints/last.ckpt");
      control.remove_checkpoint("checkpoints/old.ckpt");
    });
  });
  CHECK(fs::exists(run_dir / "checkpoints" / "old.ckpt"));
  CHECK(fs::exists(run_dir / "checkpoints" / "last.ckpt"));
  CHECK(events_of<CheckpointRemoved>(run_dir).empty());
}

TEST_CASE("a finished run goes on when its limit is raised") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.enable_checkpointing = true;
  TinyModule module;
  TinyData data;
  Trainer(options).fit(module, data);
  options.max_epochs = 3;
  const auto result = Trainer(options).fit(module, data, "last");
  CHECK(result.state.global_step() == 12);
  CHECK(result.state.incarnation() == 2);
  CHECK(verify_event_log(folder.path() / "run" / "events").sound());
}

TEST_CASE("validate and test give the means of their stage, predict what the module predicts") {
  const TemporaryFolder folder;
  auto options = tiny_options(folder.path() / "run");
  options.enable_checkpointing = true;
  TinyModule module;
  TinyData data;
  Trainer trainer(options);
  const auto fitted = trainer.fit(module, data);
  const auto tested = trainer.test(module, data);
  CHECK(tested.metrics.size() == 1);
  CHECK(tested.metrics.at("test_loss") == doctest::Approx(*fitted.state.metric("val_loss")).epsilon(1e-6));
  CHECK(trainer.validate(module, data, "last").metrics.at("val_loss") == tested.metrics.at("test_loss"));
  const auto predictions = trainer.predict(module, data).predictions;
  REQUIRE(predictions.size() == 3);
  CHECK(predictions[0].sizes() == at::IntArrayRef({3, 2}));
  CHECK(verify_event_log(fs::path(tested.run_dir) / "events").ended);
}

TEST_CASE("a call from inside a hook is refused") {
  const TemporaryFolder folder;
  Trainer trainer(tiny_options(folder.path() / "run"));
  TinyModule module;
  TinyData data;
  std::string refusal;
  module.in_training_step = [&](int64_t) { refusal = failure_of<ConfigError>(trainer); };
  trainer.fit(module, data);
  CHECK(refusal.starts_with("Trainer: a call is running already"));
}
