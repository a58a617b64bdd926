// A Trainer on storage that fails: power failures before a resume, a disk that is full during a save.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/rewrite_checkpoint.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/run_directory.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

/// A finished run of two epochs with a checkpoint of each.
struct FinishedRun {
  TemporaryFolder folder;
  fs::path run_dir = folder.path() / "run";
  fs::path segment = log_segment_path(run_dir / "events", 1);
  CapturedStderr captured;

  FinishedRun() { fit(2); }

  RunResult fit(int64_t epochs, const std::string& resume = {}) const {
    auto options = tiny_options(run_dir);
    options.max_epochs = epochs;
    options.enable_checkpointing = true;
    Trainer trainer(options);
    trainer.add(ModelCheckpoint({.save_top_k = -1}));
    TinyModule module;
    TinyData data;
    return trainer.fit(module, data, resume);
  }
  fs::path newest() const {
    const auto taken = events_of<CheckpointTaken>(run_dir);
    return run_dir / taken.back().checkpoint_taken().path();
  }
  /// Zeros in the place of everything from the last CheckpointTaken on.
  void blank_newest_checkpoint() const {
    const uint64_t seq = events_of<CheckpointTaken>(run_dir).back().seq();
    EventLogReader reader(run_dir / "events");
    Event event;
    while (reader.next(event) && event.seq() < seq) {
    }
    std::string bytes = read_file(segment);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(reader.offset()), bytes.end(), '\0');
    overwrite_file(segment, bytes);
  }
};

size_t temporaries(const fs::path& folder) {
  const auto entries = fs::recursive_directory_iterator(folder);
  return static_cast<size_t>(
      std::count_if(begin(entries), end(entries), [](const auto& entry) { return is_temporary_name(entry.path()); }));
}

/// Trains to the end of epoch `epochs` with a ModelCheckpoint for each of the folders below checkpoints/.
RunResult fit_into(const std::vector<std::string>& folders, const fs::path& run_dir, int64_t epochs,
                   const std::string& resume = {}) {
  auto options = tiny_options(run_dir);
  options.max_epochs = epochs;
  options.enable_checkpointing = true;
  Trainer trainer(options);
  for (const auto& folder : folders) {
    trainer.add(ModelCheckpoint({.dirpath = "checkpoints/" + folder}));
  }
  TinyModule module;
  TinyData data;
  return trainer.fit(module, data, resume);
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

}  // namespace

TEST_CASE("ModelCheckpoints that differ in their folder alone save side by side, and each is restored") {
  const TemporaryFolder folder;
  const CapturedStderr captured;
  const fs::path run_dir = folder.path() / "run";
  fit_into({"a", "b"}, run_dir, 1);
  const std::string first = (run_dir / "checkpoints/b/epoch=0-step=4.ckpt").string();
  REQUIRE(fs::exists(first));
  REQUIRE(fs::exists(run_dir / "checkpoints/a/epoch=0-step=4.ckpt"));
  fit_into({"a", "b"}, run_dir, 2, first);
  const std::vector<std::string> newest{"epoch=1-step=8.ckpt"};
  CHECK(files_in(run_dir / "checkpoints/a") == newest);  // Each knew that it had saved what it has removed.
  CHECK(files_in(run_dir / "checkpoints/b") == newest);
  CHECK(captured.text().find("warning") == std::string::npos);
}

TEST_CASE("a checkpoint from before folder and file name were in the state key restores the one ModelCheckpoint") {
  const TemporaryFolder folder;
  const CapturedStderr captured;
  const fs::path run_dir = folder.path() / "run";
  fit_into({"a"}, run_dir, 1);
  const fs::path first = run_dir / "checkpoints/a/epoch=0-step=4.ckpt";
  rewrite_checkpoint(first, [](CheckpointParts& parts) {
    REQUIRE(parts.callback_states.size() == 1);
    parts.callback_states[0].set_state_key(ModelCheckpoint().state_key());  // As the key was for every folder.
  });
  fit_into({"a"}, run_dir, 2, first.string());
  CHECK(files_in(run_dir / "checkpoints/a") == std::vector<std::string>{"epoch=1-step=8.ckpt"});
  CHECK(captured.text().find("warning") == std::string::npos);
}

TEST_CASE_FIXTURE(FinishedRun, "a run whose log ends in zeros is resumed, and what is cut off is said") {
  const std::string bytes = read_file(segment);
  overwrite_file(segment, bytes + std::string(300, '\0') + bytes);
  CHECK_FALSE(verify_event_log(run_dir / "events").sound());
  const auto result = fit(3, "last");
  CHECK(result.state.global_step() == 12);
  CHECK(result.state.incarnation() == 2);
  CHECK(verify_event_log(run_dir / "events").sound());
  const std::string place = "offset " + std::to_string(bytes.size()) + " (" + std::to_string(300 + bytes.size());
  CHECK(captured.text().find(place) != std::string::npos);
  CHECK(captured.text().find("it was cut off: the log goes on after seq") != std::string::npos);
}

TEST_CASE_FIXTURE(FinishedRun, "a run with damage before its newest checkpoint is resumed only without that one") {
  const fs::path file = newest();
  blank_newest_checkpoint();
  const std::string damaged = read_file(segment);
  CHECK_THROWS_WITH_AS(fit(3, "last"), doctest::Contains(file.filename().c_str()), CorruptionError);
  CHECK(read_file(segment) == damaged);
  fs::remove(file);
  CHECK(fit(3, "last").state.global_step() == 12);
  CHECK(events_of<RunResumed>(run_dir).back().run_resumed().checkpoint().find("step=4") != std::string::npos);
  CHECK(verify_event_log(run_dir / "events").sound());
}

TEST_CASE_FIXTURE(FinishedRun, "what writers left that were killed is gone when the run is resumed") {
  overwrite_file(run_dir / "config.json.tmp-1", "{");
  overwrite_file(run_dir / "checkpoints" / "x.ckpt.tmp-1", "x");
  fit(3, "last");
  CHECK(temporaries(run_dir) == 0);
}

TEST_CASE("a disk that is full during a save is an event and a warning, and costs no other checkpoint") {
  constexpr rlim_t kFull = 40000;
  constexpr int64_t kOutputs = 5000;  // A checkpoint of 100 kB.
  const TemporaryFolder folder;
  const CapturedStderr captured;
  Trainer trainer(tiny_options(folder.path() / "run"));
  std::optional<FileSizeLimit> limit;
  trainer.on<TrainEpochEnded>("saver", [&](const TrainEpochEnded&, Control& control) {
    v1::SaveCheckpoint save;
    save.set_path("checkpoints/a.ckpt");
    if (control.run().epoch() > 0) {
      while (!fs::exists(folder.path() / "run" / "checkpoints" / "a.ckpt")) {  // The disk has room for the first one.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      limit.emplace(kFull);
      save.set_path("checkpoints/b.ckpt");
    }
    control.save_checkpoint(save);
    if (limit) {
      control.remove_checkpoint("checkpoints/a.ckpt");
    }
  });
  TinyModule module(kOutputs);
  TinyData data(4, kOutputs);
  const auto result = trainer.fit(module, data);
  limit.reset();
  CHECK(result.status == v1::RUN_STATUS_FINISHED);
  const fs::path run_dir = folder.path() / "run";
  REQUIRE(events_of<CheckpointFailed>(run_dir).size() == 1);
  CHECK(events_of<CheckpointFailed>(run_dir)[0].checkpoint_failed().message().find("b.ckpt") != std::string::npos);
  CHECK(captured.text().find("training goes on, and older checkpoints stay") != std::string::npos);
  CHECK(verify_checkpoint(run_dir / "checkpoints" / "a.ckpt").sound());
  CHECK_FALSE(fs::exists(run_dir / "checkpoints" / "b.ckpt"));
  CHECK(temporaries(run_dir) == 0);
}

TEST_CASE("a callback whose files cannot be made is an error before the first step, and leaves no run") {
  const TemporaryFolder folder;
  const fs::path run_dir = folder.path() / "run";
  overwrite_file(folder.path() / "file", "no folder");
  const std::string below = (folder.path() / "file" / "below").string();
  auto options = tiny_options(run_dir);
  options.enable_checkpointing = true;
  Trainer trainer(options);
  SUBCASE("ModelCheckpoint") {
    trainer.add(ModelCheckpoint({.dirpath = below}));
  }
  SUBCASE("CSVLogger") {
    trainer.add(CSVLogger({.path = below}));
  }
  TinyModule module;
  TinyData data;
  module.in_training_step = [](int64_t) { FAIL("a step was made"); };
  CHECK_THROWS_WITH_AS(trainer.fit(module, data), doctest::Contains(below.c_str()), IoError);
  CHECK_FALSE(has_run(run_dir));
}

TEST_CASE("a resume whose checkpoints have no place any more fails and leaves the run as it is") {
  const FinishedRun run;
  const std::string before = read_file(run.segment);
  auto options = tiny_options(run.run_dir);
  options.max_epochs = 3;
  options.enable_checkpointing = true;
  Trainer trainer(options);
  overwrite_file(run.folder.path() / "file", "no folder");
  trainer.add(ModelCheckpoint({.dirpath = (run.folder.path() / "file").string()}));
  TinyModule module;
  TinyData data;
  CHECK_THROWS_AS(trainer.fit(module, data, "last"), IoError);
  CHECK(read_file(run.segment) == before);
  CHECK(list_log_segments(run.run_dir / "events").size() == 1);
  CHECK(run.fit(3, "last").state.global_step() == 12);
}

TEST_CASE("a run whose newest checkpoint was not written says so, and names none that is not there") {
  const TemporaryFolder folder;
  const CapturedStderr quiet;
  auto options = tiny_options(folder.path() / "run");
  options.max_epochs = 1;
  options.enable_checkpointing = true;
  Trainer trainer(options);
  const auto saver = trainer.add(ModelCheckpoint({.dirpath = (folder.path() / "away").string()}));
  TinyModule module;
  TinyData data;
  module.in_training_step = [&](int64_t batch_index) {
    if (batch_index == 3) {
      fs::remove_all(folder.path() / "away");
      overwrite_file(folder.path() / "away", "no folder any more");
    }
  };
  const auto result = trainer.fit(module, data);
  CHECK(result.status == v1::RUN_STATUS_FINISHED);
  REQUIRE(result.lost.size() == 1);
  CHECK(result.lost[0].find("away/epoch=0-step=4.ckpt was not written: ") != std::string::npos);
  CHECK(events_of<RunEnded>(folder.path() / "run")[0].run_ended().lost(0) == result.lost[0]);
  CHECK(result.state.best_checkpoint().empty());
  CHECK(saver.get().best_model_path().empty());
  CHECK_THROWS_WITH_AS(Trainer(options).test(module, data, "best"), doctest::Contains("has no best checkpoint"),
                       ConfigError);
}
