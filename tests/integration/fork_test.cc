// A fork: a new run with the history of another up to a checkpoint.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include "actors/trainer.h"
#include "callbacks/csv_logger.h"
#include "callbacks/model_checkpoint.h"
#include "runtime/error.h"
#include "runtime/event_log_segments.h"
#include "runtime/event_log_verify.h"
#include "tests/support/files.h"
#include "tests/support/noisy_fit.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_fit.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kEpochs = 2;

struct Fork {
  TemporaryFolder folder;
  fs::path first = folder.path() / "first";
  fs::path second = folder.path() / "second";

  Fork() { train(first, "", ""); }

  /// Trains in `run_dir`: a new run, a resumed one, or one forked from a checkpoint.
  static RunResult train(const fs::path& run_dir, const std::string& resume, const std::string& fork,
                         int64_t max_epochs = kEpochs) {
    torch::manual_seed(11);
    NoisyModule module(kEpochs * kNoisyTrainBatches);
    NoisyData data;
    TrainerOptions options = tiny_options(run_dir);
    options.max_epochs = max_epochs;
    options.enable_checkpointing = true;
    options.log_every_n_steps = 1;
    Trainer trainer(options);
    trainer.add(ModelCheckpoint({.save_top_k = -1, .every_n_train_steps = 8}));
    trainer.add(CSVLogger());
    return fork.empty() ? trainer.fit(module, data, resume) : trainer.fork(module, data, fork);
  }
  fs::path checkpoint(const fs::path& run, const std::string& name) const { return run / "checkpoints" / name; }
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
  train(second, "", checkpoint(first, "epoch=0-step=8.ckpt").string(), /*max_epochs=*/1);
  CHECK(fs::exists(checkpoint(second, "epoch=0-step=8.ckpt")));
  CHECK_FALSE(fs::exists(checkpoint(second, "epoch=1-step=24.ckpt")));
  train(second, checkpoint(second, "epoch=0-step=8.ckpt").string(), "");
  CHECK(shared_events(second) == shared_events(first));
}

TEST_CASE_FIXTURE(Fork, "a run can be forked from a checkpoint that it has superseded") {
  const auto superseded = checkpoint(first, "epoch=0-step=8.ckpt");
  const auto kept = read_file(checkpoint(first, "epoch=1-step=16.ckpt"));
  train(first, superseded.string(), "", /*max_epochs=*/1);
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
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    CHECK(entry.path().string().find(".tmp-") == std::string::npos);
  }
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
