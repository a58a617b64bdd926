#include "troupe/callbacks/progress/progress_bar.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/support/fake_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A run of one ProgressBar whose clock stands still unless told.
struct Shown {
  explicit Shown(bool terminal, ProgressBarOptions options = {}, size_t columns = 100)
      : run(std::make_shared<ProgressBar>(
            options,
            ProgressDisplay{.out = &out, .terminal = terminal, .columns = columns, .now = [this] { return now; }})) {}

  void start_fit(int64_t max_epochs = 2) {
    FitStarted fit = usual_fit();
    fit.set_max_epochs(max_epochs);
    fit.set_train_batches(4);
    run.start_fit(fit);
  }

  void batch(std::chrono::milliseconds duration, const LoggedMetrics& metrics = {}) {
    now += duration;
    run.train_batch(metrics);
  }

  void validation_batch(std::chrono::milliseconds duration) {
    now += duration;
    run.send(ValidationBatchEnded());
  }

  void end_run() { run.send(RunEnded()); }

  /// What was written since the last call; "\r" as "<", and the erasing of the line's rest as "|>".
  std::string text() {
    std::string shown;
    const std::string raw = out.str();
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw.compare(i, 3, "\x1b[K") == 0) {
        shown += "|>";
        i += 2;
      } else {
        shown += raw[i] == '\r' ? '<' : raw[i];
      }
    }
    out.str("");
    return shown;
  }

  std::ostringstream out;
  std::chrono::steady_clock::time_point now{1000s};
  FakeRun run;
};

}  // namespace

TEST_CASE("on a terminal the bar is drawn over itself with the metrics for progress displays") {
  Shown shown(true);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  CHECK(shown.text().empty());
  shown.batch(500ms, {{"loss", 0.12345, true}, {"hidden", 1.0}});
  CHECK(shown.text() == "<Epoch 1/2  25% |##        | 1/4 [00:00<00:01, 2.0 it/s] loss=0.123|>");
  shown.batch(500ms);
  CHECK(shown.text() == "<Epoch 1/2  50% |#####     | 2/4 [00:01<00:01, 2.0 it/s] loss=0.123|>");
}

TEST_CASE("the bar is redrawn at most every 66 ms") {
  Shown shown(true);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(10ms);
  CHECK_FALSE(shown.text().empty());
  shown.batch(65ms);
  CHECK(shown.text().empty());
  shown.batch(1ms);
  CHECK(shown.text() == "<Epoch 1/2  75% |#######   | 3/4 [00:00<00:00, 39.5 it/s]|>");
}

TEST_CASE("refresh_rate counts batches between updates, and 0 switches the bar off") {
  Shown shown(true, {.refresh_rate = 3});
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  std::vector<bool> drawn;
  for (int i = 0; i < 4; ++i) {
    shown.batch(1s);
    drawn.push_back(!shown.text().empty());
  }
  CHECK(drawn == std::vector<bool>{false, false, true, true});

  for (const bool terminal : {true, false}) {
    Shown off(terminal, {.refresh_rate = 0});
    off.start_fit();
    off.run.send(TrainEpochStarted());
    off.batch(100s);
    off.run.end_epoch();
    off.end_run();
    CHECK(off.text().empty());
  }
  CHECK_THROWS_AS(ProgressBar({.refresh_rate = -1}), ConfigError);
}

TEST_CASE("validation takes the bar's place while it runs") {
  Shown shown(true);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  shown.text();
  shown.run.position().set_stage(v1::STAGE_VALIDATE);
  shown.run.send(ValidationStarted());
  shown.validation_batch(1s);
  CHECK(shown.text() == "<Validation  50% |#####     | 1/2 [00:01<00:01, 1.0 it/s]|>");
  shown.run.position().set_stage(v1::STAGE_FIT);
  shown.run.validate({{"val_loss", 0.2, true}});
  shown.batch(1s);
  CHECK(shown.text() == "<Epoch 1/2  50% |#####     | 2/4 [00:03<00:03, 1.5 s/it] val_loss=0.2|>");
}

TEST_CASE("the sanity check is shown without a total") {
  Shown shown(true);
  shown.start_fit();
  shown.run.position().set_stage(v1::STAGE_SANITY_CHECK);
  shown.run.send(ValidationStarted());
  shown.validation_batch(1s);
  CHECK(shown.text() == "<Sanity check 1 [00:01, 1.0 it/s]|>");
}

TEST_CASE("the bar stays at the end of the run, and nothing is written after it") {
  Shown shown(true);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  shown.batch(1ms);
  shown.text();
  SUBCASE("when it ends") {
    shown.end_run();
  }
  SUBCASE("when an exception ends it") {
    shown.run.send(ExceptionRaised());
  }
  CHECK(shown.text() == "<Epoch 1/2  50% |#####     | 2/4 [00:01<00:01, 2.0 it/s]|>\n");
  shown.batch(1s);
  shown.run.end_epoch();
  shown.end_run();
  CHECK(shown.text().empty());
}

TEST_CASE("a next run is shown again") {
  Shown shown(true);
  shown.start_fit();
  shown.end_run();
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  CHECK_FALSE(shown.text().empty());
}

TEST_CASE("with leave each epoch's bar stays on the screen") {
  Shown shown(true, {.leave = true});
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  for (int i = 0; i < 4; ++i) {
    shown.batch(1s);
  }
  shown.text();
  shown.run.end_epoch({{"loss", 0.5, true}});
  CHECK(shown.text() == "<Epoch 1/2 100% |##########| 4/4 [00:04<00:00, 1.0 it/s] loss=0.5|>\n");
  shown.end_run();
  CHECK(shown.text().empty());
}

TEST_CASE("without leave the epoch's end draws no more than is due") {
  Shown shown(true);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  shown.text();
  shown.run.end_epoch();
  CHECK(shown.text().empty());
}

TEST_CASE("the bar is cut to the terminal's width") {
  Shown shown(true, {}, 20);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  CHECK(shown.text() == "<Epoch 1/2  25% |## |>");
}

TEST_CASE("a run resumed within an epoch shows the rate of what it did itself") {
  Shown shown(true);
  shown.start_fit(-1);
  shown.run.resume({});
  shown.run.position().set_batch_index(2);
  shown.batch(1s);
  shown.batch(1s);
  CHECK(shown.text() ==
        "<Epoch 1  75% |#######   | 3/4 [00:00<?, ? it/s]|>"
        "<Epoch 1 100% |##########| 4/4 [00:01<00:00, 2.0 it/s]|>");
}

TEST_CASE("elsewhere than on a terminal there is a line at each epoch's end and every 30 s") {
  Shown shown(false);
  shown.start_fit();
  shown.run.send(TrainEpochStarted());
  shown.batch(20s, {{"loss", 2.0, true}});
  CHECK(shown.text().empty());
  shown.batch(10s);
  CHECK(shown.text() == "Epoch 1/2: 2/4 [00:30<00:30, 15.0 s/it] loss=2\n");
  shown.batch(29s);
  CHECK(shown.text().empty());
  shown.batch(1s);
  CHECK(shown.text() == "Epoch 1/2: 4/4 [01:00<00:00, 15.0 s/it] loss=2\n");
  shown.run.validate({{"val_loss", 0.25, true}});
  shown.run.end_epoch({{"loss", 1.5, true}});
  CHECK(shown.text() == "Epoch 1/2: 4/4 [01:00<00:00, 15.0 s/it] loss=1.5 val_loss=0.25\n");
  shown.run.send(TrainEpochStarted());
  shown.batch(1s);
  shown.end_run();
  CHECK(shown.text().empty());
}

TEST_CASE("a validation, test or prediction alone ends with a line") {
  for (const bool terminal : {true, false}) {
    Shown shown(terminal);
    RunStarted started;
    started.set_stage(v1::STAGE_TEST);
    shown.run.send(started);
    shown.run.position().set_stage(v1::STAGE_TEST);
    shown.run.send(TestStarted());
    shown.now += 1s;
    shown.run.send(TestBatchEnded());
    shown.text();
    TestEpochEnded ended;
    ended.add_metrics()->set_name("acc");
    ended.mutable_metrics(0)->set_value(0.75);
    ended.mutable_metrics(0)->set_prog_bar(true);
    shown.run.send(ended);
    shown.run.send(TestEnded());
    CHECK(shown.text() ==
          (terminal ? "<Test 1 [00:01, 1.0 it/s] acc=0.75|>\n" : "Test: 1 [00:01, 1.0 it/s] acc=0.75\n"));
    shown.end_run();
    CHECK(shown.text().empty());
  }
}
