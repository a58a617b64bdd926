#include "troupe/actors/storage/checkpoint_finder.h"

#include <doctest/doctest.h>

#include <string_view>
#include <utility>

#include "tests/support/captured_stderr.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/run_directory.h"

using namespace troupe;
using troupe::testing::CapturedStderr;
namespace fs = std::filesystem;

namespace {

Event taken_event(uint64_t seq, const std::string& path) {
  Event event;
  event.set_seq(seq);
  event.mutable_checkpoint_taken()->set_path(path);
  return event;
}

Event failed_event(uint64_t seq, const std::string& path, uint64_t taken_seq) {
  Event event;
  event.set_seq(seq);
  event.mutable_checkpoint_failed()->set_path(path);
  event.mutable_checkpoint_failed()->set_taken_seq(taken_seq);
  return event;
}

/// RunStarted, a step, a.ckpt taken at seq 3, a step, b.ckpt taken at seq 5, a step; both files are there.
struct StoredCheckpoints {
  TemporaryFolder folder;
  RunPaths run{folder.path()};
  fs::path segment = log_segment_path(run.events(), 1);
  fs::path older = run.checkpoints() / "a.ckpt";
  fs::path newer = run.checkpoints() / "b.ckpt";
  CapturedStderr captured;

  StoredCheckpoints() {
    write_log(run.events(), {run_started_event(), batch_event(2, 1), taken_event(3, "checkpoints/a.ckpt"),
                             batch_event(4, 2), taken_event(5, "checkpoints/b.ckpt"), batch_event(6, 3)});
    write(older, 3);
    write(newer, 5);
  }

  static void write(const fs::path& file, uint64_t seq, uint32_t incarnation = 1, const std::string& run_id = "r1") {
    SmallCheckpoint small;
    small.parts.header.set_run_id(run_id);
    small.parts.header.set_incarnation(incarnation);
    small.parts.header.set_seq(seq);
    write_checkpoint(file, small.parts);
  }

  /// Puts zeros in the place of everything from the event of `seq` on.
  void blank_from(uint64_t seq) const {
    EventLogReader reader(run.events());
    Event event;
    while (reader.next(event) && event.seq() < seq) {
    }
    std::string bytes = read_file(segment);
    bytes.replace(reader.offset(), std::string::npos, std::string(200, '\0'));
    overwrite_file(segment, bytes);
  }

  FoundCheckpoint find(const fs::path& what) const {
    return find_checkpoint(what.string(), TrainerOptions(), CheckpointUse::kResume);
  }
};

/// The log is another run's up to a.ckpt; this one has taken c.ckpt in it, at seq 5 of incarnation 2.
struct StoredFork : StoredCheckpoints {
  fs::path own = run.checkpoints() / "c.ckpt";

  StoredFork() {
    fs::remove_all(run.events());
    fs::remove(newer);
    auto resumed = run_resumed_event(2, 3, 0);
    resumed.mutable_run_resumed()->set_forked_from("r1");
    write_log(run.events(), {run_started_event(), batch_event(2, 1), taken_event(3, "checkpoints/a.ckpt"), resumed,
                             taken_event(5, "checkpoints/c.ckpt"), batch_event(6, 2)});
  }
};

/// What the run does meanwhile, once.
StoredCheckpoints* goes_on = nullptr;

}  // namespace

TEST_CASE_FIXTURE(StoredCheckpoints, "the newest checkpoint of a sound run is found") {
  const auto found = find(run.root);
  CHECK(found.file == newer);
  CHECK_FALSE(found.log_damage_after.has_value());
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a log that ends in zeros behind its checkpoints does not keep them from use") {
  blank_from(6);
  for (const auto& what : {run.root, newer}) {
    const auto found = find(what);
    CHECK(found.file == newer);
    CHECK((found.log_damage_after == LogPlace{1, 5}));
  }
  CHECK((find(older).log_damage_after == LogPlace{1, 5}));
}

TEST_CASE_FIXTURE(StoredCheckpoints, "damage before a checkpoint is refused until that checkpoint is moved away") {
  blank_from(5);
  for (const auto& what : {run.root, newer, older}) {
    CHECK_THROWS_WITH_AS(find(what), doctest::Contains("b.ckpt was taken at seq 5"), CorruptionError);
  }
  fs::rename(newer, folder.path() / "b.ckpt");
  const auto found = find(run.root);
  CHECK(found.file == older);
  CHECK((found.log_damage_after == LogPlace{1, 4}));
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a run with damage before its first checkpoint starts over") {
  fs::remove_all(run.checkpoints());
  blank_from(3);
  auto found = find(run.root);
  CHECK(found.starts_over());
  CHECK((found.log_damage_after == LogPlace{1, 2}));
  blank_from(1);
  found = find(run.root);
  CHECK(found.starts_over());
  CHECK((found.log_damage_after == LogPlace{}));
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a log that was cut before a checkpoint has lost events, and that is said") {
  EventLogReader reader(run.events());
  Event event;
  while (reader.next(event) && event.seq() < 5) {
  }
  fs::resize_file(segment, reader.offset() + 3);
  CHECK_THROWS_WITH_AS(find(run.root), doctest::Contains("b.ckpt was taken at seq 5"), CorruptionError);
  CHECK_THROWS_WITH_AS(find(run.root), doctest::Contains("has lost events"), CorruptionError);
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a checkpoint is used whose replacement could not be written") {
  {
    EventLogWriter log(run.events());
    log.append(taken_event(7, "checkpoints/b.ckpt"));
    log.append(failed_event(8, "checkpoints/b.ckpt", 7));
    log.sync();
  }
  const auto found = find(run.root);
  CHECK(found.file == newer);
  CHECK(found.data.header.seq() == 5);
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a damaged newest checkpoint is reported, and the one before it taken") {
  std::string bytes = read_file(newer);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  overwrite_file(newer, bytes);
  CHECK(find(run.root).file == older);
  CHECK(captured.text().find("b.ckpt is damaged") != std::string::npos);
  CHECK_THROWS_WITH_AS(find(newer), doctest::Contains("b.ckpt"), CorruptionError);
  overwrite_file(newer, "x");
  overwrite_file(older, "x");
  CHECK_THROWS_WITH_AS(find(run.root), doctest::Contains("has no sound checkpoint"), CorruptionError);
}

TEST_CASE_FIXTURE(StoredCheckpoints,
                  "a newest checkpoint that cannot be read is reported, and the one before it taken") {
  fs::remove(newer);
  fs::create_directory(newer);  // Opened, and not read: even by the superuser.
  const auto found = find(run.root);
  CHECK(found.file == older);
  CHECK(found.passed_over == std::vector<fs::path>{newer});
  CHECK(captured.text().find("b.ckpt cannot be read (cannot read") != std::string::npos);
  fs::remove(older);
  CHECK_THROWS_WITH_AS(find(run.root), doctest::Contains("b.ckpt"), IoError);
}

TEST_CASE_FIXTURE(StoredCheckpoints,
                  "a checkpoint that was superseded is refused as such, however far that process came") {
  {
    EventLogWriter log(run.events());
    log.append(run_resumed_event(2, 3, 3));
    log.sync();
  }
  CHECK_THROWS_WITH_AS(find(newer), doctest::Contains("a later resume superseded"), ConfigError);
  CHECK(find(run.root).file == older);
}

TEST_CASE_FIXTURE(StoredCheckpoints, "a run that goes on while its log is read has lost nothing") {
  goes_on = this;
  fault_hook = [](const char* point) {
    if (goes_on != nullptr && std::string_view(point) == "resume.log_read") {
      StoredCheckpoints& stored = *std::exchange(goes_on, nullptr);
      EventLogWriter log(stored.run.events());
      log.append(taken_event(7, "checkpoints/c.ckpt"));
      log.sync();
      write(stored.run.checkpoints() / "c.ckpt", 7);
      fs::remove(stored.older);
      fs::remove(stored.newer);
    }
  };
  const auto found = find(run.root);
  fault_hook = nullptr;
  CHECK(found.file == run.checkpoints() / "c.ckpt");
}

TEST_CASE_FIXTURE(StoredFork, "a fork goes on from its own checkpoints as itself") {
  write(own, 5, 2, run_name(run.root));
  const auto found = find(run.root);
  CHECK(found.file == own);
  CHECK(found.run_id == run_name(run.root));
  CHECK(found.forked_from.empty());
}

TEST_CASE_FIXTURE(StoredFork,
                  "a checkpoint of the run that a fork has left, at the place of one of its own, is not taken for it") {
  write(own, 5, 2, "r1");
  const auto found = find(run.root);
  CHECK(found.file == older);
  CHECK(found.run_id == run_name(run.root));
  CHECK(found.forked_from == "r1");
  CHECK_THROWS_WITH_AS(find(own), doctest::Contains("was taken by another run, r1"), ConfigError);
}

TEST_CASE_FIXTURE(StoredCheckpoints,
                  "a file that is no checkpoint is wrong usage where it is named, and damage where a run has it") {
  const fs::path text = folder.path() / "README.md";
  overwrite_file(text, "# Not a checkpoint\n");
  const std::string said = "resume: " + text.string() + " is no checkpoint: it looks like a text file";
  CHECK_THROWS_WITH_AS(find(text), doctest::Contains(said.c_str()), ConfigError);
  CHECK_THROWS_WITH_AS(find(segment), doctest::Contains("an event log of Troupe"), ConfigError);
  fs::copy_file(text, newer, fs::copy_options::overwrite_existing);
  CHECK(find(run.root).file == older);
  CHECK(captured.text().find("it looks like a text file") != std::string::npos);
}
