// A fork: a new run with the history of another up to a checkpoint.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include <stdexcept>

#include "tests/support/captured_stderr.h"
#include "tests/support/files.h"
#include "tests/support/noisy_fit.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensorboard_events.h"
#include "tests/support/tiny_fit.h"
#include "troupe/actors/trainer.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/logging/json_logger.h"
#include "troupe/callbacks/logging/tensorboard_logger.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/log/run_fork.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 2;

constexpr int64_t kNever = -1;

/// What is special about a process.
struct Special {
  int64_t max_epochs = kEpochs;
  ModelCheckpointOptions saver = {.every_n_train_steps = 8, .save_last = true, .save_top_k = -1};
  std::function<void()> during_setup = {};  ///< Before there are loaders.
  int64_t dies_at = kNever;                 ///< Training batch, counted over epochs.
  std::function<void(int64_t batch, Trainer&)> at_batch = {};
};

class HookedData : public NoisyData {
 public:
  explicit HookedData(std::function<void()> during_setup) : during_setup_(std::move(during_setup)) {}
  std::shared_ptr<DataLoader> train_dataloader() override {
    if (during_setup_) {
      during_setup_();
    }
    return NoisyData::train_dataloader();
  }

 private:
  std::function<void()> during_setup_;
};

struct Fork {
  TemporaryFolder folder;
  fs::path first = folder.path() / "first";
  fs::path second = folder.path() / "second";

  Fork() { train(first, "", ""); }

  /// Trains in `run_dir`: a new run, a resumed one, or one forked from a checkpoint.
  static RunResult train(const fs::path& run_dir, const std::string& resume, const std::string& fork,
                         const Special& special = {}) {
    torch::manual_seed(11);
    NoisyModule module(kEpochs * kNoisyTrainBatches);
    HookedData data(special.during_setup);
    TrainerOptions options = tiny_options(run_dir);
    options.max_epochs = special.max_epochs;
    options.enable_checkpointing = true;
    options.log_every_n_steps = 1;
    Trainer trainer(options);
    trainer.add(ModelCheckpoint(special.saver));
    trainer.add(CSVLogger());
    trainer.add(JSONLogger());
    trainer.add(TensorBoardLogger());
    module.on_training_step = [&](int64_t batch_index) {
      const int64_t batch = module.current_epoch() * kNoisyTrainBatches + batch_index;
      if (special.at_batch) {
        special.at_batch(batch, trainer);
      }
      if (batch == special.dies_at) {
        throw std::runtime_error("the process dies");
      }
    };
    return fork.empty() ? trainer.fit(module, data, resume) : trainer.fork(module, data, fork);
  }
  static void die(const fs::path& run_dir, const std::string& resume, const std::string& fork, const Special& special) {
    CHECK_THROWS_WITH(train(run_dir, resume, fork, special), doctest::Contains("the process dies"));
  }
  static fs::path checkpoint(const fs::path& run, const std::string& name) { return run / "checkpoints" / name; }

  /// A fork of the first run from one of its checkpoints, that no process has opened yet.
  RunFork begin_fork(const std::string& name) const {
    const auto file = checkpoint(first, name);
    return {first, file, read_checkpoint(file), second};
  }
  size_t temporaries() const {
    const auto entries = fs::directory_iterator(folder.path());
    return static_cast<size_t>(
        std::count_if(begin(entries), end(entries), [](const auto& entry) { return is_temporary_name(entry.path()); }));
  }
};

/// The files of a folder, by their relative paths, with their content.
Fingerprint content_of(const fs::path& folder) {
  Fingerprint files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
    }
  }
  return files;
}

}  // namespace

TEST_CASE_FIXTURE(Fork, "a fork with the same options ends as the run that it left, which is not changed") {
  const auto before = content_of(first);
  const auto result = train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string());
  CHECK(result.status == v1::RUN_STATUS_FINISHED);
  CHECK(differences(content_of(first), before) == std::set<std::string>{});
  CHECK(shared_events(second) == shared_events(first));
  CHECK(read_file(second / "metrics.csv") == read_file(first / "metrics.csv"));
  CHECK(read_file(second / "metrics.jsonl") == read_file(first / "metrics.jsonl"));
  CHECK(testing::tensorboard_text(second) == testing::tensorboard_text(first));
  const std::string last = "epoch=1-step=24.ckpt";
  CHECK(differences(checkpoint_items(checkpoint(second, last)), checkpoint_items(checkpoint(first, last))) ==
        std::set<std::string>{});
  CHECK(verify_event_log(second / "events").sound());
  const auto resumed = events_of<RunResumed>(second);
  REQUIRE(resumed.size() == 1);
  CHECK(resumed[0].run_resumed().forked_from() == "first");
  CHECK(read_checkpoint_header(checkpoint(second, last)).run_id() == "second");
}

TEST_CASE_FIXTURE(Fork, "a fork is resumed like any run, from the checkpoint that it began with too") {
  train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string(), {.max_epochs = 1});
  CHECK(fs::exists(checkpoint(second, "epoch=0-step=8.ckpt")));
  CHECK_FALSE(fs::exists(checkpoint(second, "epoch=1-step=24.ckpt")));
  for (const auto resume : {checkpoint(second, "epoch=0-step=8.ckpt"), second}) {
    train(second, resume.string(), "");
    CHECK(shared_events(second) == shared_events(first));
    CHECK(read_checkpoint_header(checkpoint(second, "epoch=1-step=24.ckpt")).run_id() == "second");
    CHECK(events_of<RunResumed>(second)[0].run_resumed().forked_from() == "first");  // Also where that was superseded.
  }
}

TEST_CASE_FIXTURE(Fork, "a run can be forked from a checkpoint that it has superseded") {
  const auto superseded = checkpoint(first, "epoch=0-step=8.ckpt");
  const auto kept = read_file(checkpoint(first, "epoch=1-step=16.ckpt"));
  train(first, superseded.string(), "", {.max_epochs = 1});
  write_file_atomically(checkpoint(first, "epoch=1-step=16.ckpt"), kept);
  CHECK_THROWS_AS(train("", checkpoint(first, "epoch=1-step=16.ckpt").string(), ""), ConfigError);
  const auto result = train(second, "", checkpoint(first, "epoch=1-step=16.ckpt").string());
  CHECK(result.state.global_step() == kEpochs * kNoisyTrainBatches);
}

TEST_CASE_FIXTURE(Fork, "a fork into a folder with something in it is refused, and leaves nothing behind") {
  write_file_atomically(folder.path() / "note", "mine");
  fs::create_directories(second);
  write_file_atomically(second / "note", "mine");
  CHECK_THROWS_WITH_AS(train(second, "", first.string()), doctest::Contains("is not empty"), ConfigError);
  CHECK(content_of(second).size() == 1);
  CHECK_THROWS_WITH_AS(train(first, "", first.string()), doctest::Contains("holds a run already"), ConfigError);
  CHECK(temporaries() == 0);
}

TEST_CASE_FIXTURE(Fork, "a fork whose log ends before one of its checkpoints is refused like any run") {
  train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string());
  const auto segment = list_log_segments(second / "events").back().path;
  fs::resize_file(segment, fs::file_size(segment) / 2);
  CHECK_THROWS_WITH_AS(train(second, second.string(), ""), doctest::Contains("was taken at seq"), CorruptionError);
}

TEST_CASE_FIXTURE(Fork, "a checkpoint outside a run cannot be forked") {
  const fs::path alone = folder.path() / "alone.ckpt";
  fs::copy_file(checkpoint(first, "epoch=0-step=8.ckpt"), alone);
  CHECK_THROWS_WITH_AS(train(second, "", alone.string()), doctest::Contains("does not lie in"), ConfigError);
  CHECK_FALSE(fs::exists(second));
}

TEST_CASE_FIXTURE(Fork, "a fork has no checkpoint that was taken later under a name that it knows") {
  REQUIRE(read_checkpoint_header(checkpoint(first, "last.ckpt")).position().global_step() > 16);
  begin_fork("epoch=1-step=16.ckpt").commit();
  CHECK(fs::exists(checkpoint(second, "epoch=0-step=8.ckpt")));
  CHECK_FALSE(fs::exists(checkpoint(second, "last.ckpt")));
  CHECK_FALSE(fs::exists(checkpoint(second, "epoch=1-step=24.ckpt")));
  train(second, second.string(), "");  // Its first process died before it had written anything.
  CHECK(shared_events(second) == shared_events(first));
}

TEST_CASE_FIXTURE(Fork, "checkpoints in a folder of their own are no files that a logger wrote") {
  const fs::path own = folder.path() / "own";
  const Special special{.saver = {.dirpath = "saved", .every_n_train_steps = 8, .save_top_k = -1}};
  train(own, "", "", special);
  const auto start = own / "saved" / "epoch=0-step=8.ckpt";
  RunFork(own, start, read_checkpoint(start), second).commit();
  CHECK(fs::exists(second / "saved" / "epoch=0-step=8.ckpt"));
  CHECK_FALSE(fs::exists(second / "saved" / "epoch=1-step=16.ckpt"));
  CHECK(fs::exists(second / "metrics.csv"));
}

TEST_CASE_FIXTURE(Fork, "a run that goes on while it is forked gives the checkpoint that was found") {
  const fs::path running = folder.path() / "running";
  train(running, "", "", {.max_epochs = 1});
  const auto found = read_checkpoint_header(checkpoint(running, "last.ckpt"));
  const auto go_on = [&] {
    fs::remove(checkpoint(running, "epoch=0-step=8.ckpt"));
    train(running, running.string(), "");
  };
  train(second, "", running.string(), {.during_setup = go_on});
  CHECK(read_checkpoint_header(checkpoint(running, "last.ckpt")).seq() > found.seq());
  const auto resumed = events_of<RunResumed>(second);
  REQUIRE(resumed.size() == 1);
  CHECK(resumed[0].run_resumed().from_seq() == found.seq());
  CHECK(resumed[0].run_resumed().superseded_events() == 0);
  CHECK(fs::exists(checkpoint(second, "epoch=0-step=8.ckpt")));
  const std::string last = "epoch=1-step=24.ckpt";
  CHECK(differences(checkpoint_items(checkpoint(second, last)), checkpoint_items(checkpoint(running, last))) ==
        std::set<std::string>{});
}

TEST_CASE_FIXTURE(Fork, "a checkpoint that its run replaces just then is not forked from") {
  const auto start = checkpoint(first, "epoch=0-step=8.ckpt");
  const auto data = read_checkpoint(start);
  fs::copy_file(checkpoint(first, "epoch=1-step=16.ckpt"), start, fs::copy_options::overwrite_existing);
  CHECK_THROWS_WITH_AS((RunFork{first, start, data, second}), doctest::Contains("fork again"), IoError);
  fs::remove(start);
  CHECK_THROWS_WITH_AS((RunFork{first, start, data, second}), doctest::Contains("fork again"), IoError);
  CHECK(temporaries() == 0);
}

TEST_CASE_FIXTURE(Fork, "what was sent to the run that a fork leaves is not repeated, in no incarnation of either") {
  const fs::path broken = folder.path() / "broken";
  const auto send_rate = [](int64_t batch, Trainer& trainer) {
    if (batch == 10) {
      v1::Command command;
      command.mutable_set_learning_rate()->set_lr(0.003);
      trainer.send(std::move(command), "ann");
    }
  };
  const ModelCheckpointOptions saver{.every_n_train_steps = 4, .save_top_k = -1};
  die(broken, "", "", {.saver = saver, .dies_at = 11, .at_batch = send_rate});
  die(broken, checkpoint(broken, "epoch=0-step=4.ckpt").string(), "", {.saver = saver, .dies_at = 9});
  const auto start = checkpoint(broken, "epoch=0-step=8.ckpt");
  REQUIRE(read_checkpoint_header(start).incarnation() == 2);
  die(second, "", start.string(), {.saver = saver, .dies_at = 11});
  CHECK(events_of<InputRecorded>(second).empty());
  train(second, second.string(), "", {.saver = saver});
  CHECK(events_of<InputRecorded>(second).empty());
  train(broken, broken.string(), "", {.saver = saver});
  CHECK(events_of<InputRecorded>(broken).size() == 1);
}

TEST_CASE_FIXTURE(Fork, "what a fork that was killed left is removed by the next one to its directory") {
  const pid_t child = ::fork();
  if (child == 0) {
    const RunFork fork = begin_fork("epoch=0-step=8.ckpt");
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(temporaries() == 1);
  CHECK_FALSE(fs::exists(second));
  train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string());
  CHECK(temporaries() == 0);
  CHECK(shared_events(second) == shared_events(first));
}

TEST_CASE_FIXTURE(Fork, "a fork that is under way keeps another one to its directory out") {
  RunFork fork = begin_fork("epoch=0-step=8.ckpt");
  CHECK_THROWS_WITH_AS(begin_fork("epoch=1-step=16.ckpt"), doctest::Contains("is being written by"), ConfigError);
  fork.commit();
  CHECK(verify_event_log(second / "events").sound());
  CHECK(temporaries() == 0);
}

TEST_CASE_FIXTURE(Fork, "a fork may be named with a slash at its end") {
  const auto result = train(second.string() + "/", "", first.string());
  CHECK(result.state.incarnation() == 2);
  CHECK(read_checkpoint_header(checkpoint(second, "epoch=0-step=8.ckpt")).run_id() == "first");
  CHECK(temporaries() == 0);
}

TEST_CASE_FIXTURE(Fork, "a fork into the run that it leaves is refused, and that run is not changed") {
  const auto before = content_of(first);
  CHECK_THROWS_WITH_AS(train(first / "forks" / "a", "", first.string()), doctest::Contains("lies in the directory of"),
                       ConfigError);
  CHECK(differences(content_of(first), before) == std::set<std::string>{});
}

TEST_CASE_FIXTURE(Fork, "files that are being written in the run that a fork leaves are left out") {
  write_file_atomically(first / "plots.svg", "whole");
  fs::rename(first / "plots.svg", first / "plots.svg.tmp-1");
  begin_fork("epoch=0-step=8.ckpt").commit();
  CHECK_FALSE(fs::exists(second / "plots.svg.tmp-1"));
  CHECK(fs::exists(second / "metrics.csv"));
}

TEST_CASE_FIXTURE(Fork, "a run that keeps its checkpoints elsewhere cannot be forked") {
  const fs::path own = folder.path() / "own";
  for (const std::string& dirpath :
       {(folder.path() / "elsewhere").string(), std::string("../elsewhere"), (own / "checkpoints").string()}) {
    CAPTURE(dirpath);
    fs::remove_all(own);
    train(own, "", "", {.saver = {.dirpath = dirpath, .every_n_train_steps = 8}});
    CHECK_THROWS_WITH_AS(train(second, "", own.string()), doctest::Contains("which the new run would overwrite"),
                         ConfigError);
    CHECK_FALSE(fs::exists(second));
  }
}

TEST_CASE_FIXTURE(Fork, "a run that another process writes is refused before anything is set up") {
  const RunDirectory locked(first);
  bool set_up = false;
  CHECK_THROWS_WITH_AS(train(first, first.string(), "", {.during_setup = [&] { set_up = true; }}),
                       doctest::Contains("is being written by"), ConfigError);
  CHECK_FALSE(set_up);
}

TEST_CASE_FIXTURE(Fork, "where a run goes on is said on standard error") {
  const CapturedStderr captured;
  train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string(), {.max_epochs = 1});
  CHECK(captured.text().find("forked from checkpoints/epoch=0-step=8.ckpt of run first at epoch 0, step 8\n") !=
        std::string::npos);
  train(second, checkpoint(second, "epoch=0-step=8.ckpt").string(), "", {.max_epochs = 1});
  CHECK(captured.text().find(" at epoch 0, step 8; ") != std::string::npos);
  CHECK(captured.text().find(" events after it are repeated") != std::string::npos);
}
