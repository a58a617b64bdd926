#include "troupe/runtime/log/event_log_tail.h"

#include <doctest/doctest.h>

#include <cstring>
#include <stdexcept>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/file/record_format.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/run_directory.h"

using namespace troupe;

namespace {

/// The log of resumed_run_events(), whose last event is seq 7 of incarnation 2.
struct RunWithLog {
  TemporaryFolder folder;
  RunPaths run{folder.path()};
  std::filesystem::path last_segment = log_segment_path(run.events(), 2);

  RunWithLog() { write_log(run.events(), resumed_run_events()); }

  void append(const std::string& bytes) const { overwrite_file(last_segment, read_file(last_segment) + bytes); }

  void take_checkpoint(LogPlace place, const std::string& run_id = "r1") const {
    SmallCheckpoint small;
    small.parts.header.set_run_id(run_id);
    small.parts.header.set_incarnation(place.incarnation);
    small.parts.header.set_seq(place.seq);
    write_checkpoint(run.checkpoints() / "epochs" / "x.ckpt", small.parts);
  }

  DamageError damage() const {
    try {
      EventLogReader reader(run.events());
      Event event;
      while (reader.next(event)) {
      }
    } catch (const DamageError& error) {
      return error;
    }
    throw std::logic_error("the log is sound");
  }
};

const std::string kZeros(100, '\0');
constexpr LogPlace kLast{2, 7};

}  // namespace

TEST_CASE_FIXTURE(RunWithLog, "a log that ends in zeros is cut off there and goes on") {
  const uint64_t end = read_file(last_segment).size();
  append(kZeros + read_file(last_segment));  // Whole records behind what is missing.
  take_checkpoint({1, 9});                   // Of a part of the run that came before, though its seq is larger.
  CHECK_THROWS_AS(EventLogWriter{run.events()}, DamageError);
  const LogPlace place = place_before_damage(run.root, damage());
  CHECK((place == kLast));
  EventLogWriter writer(run.events(), {.cut_damage_after = place});
  REQUIRE(writer.recovery().has_value());
  CHECK(writer.recovery()->file == last_segment);
  CHECK(writer.recovery()->offset == end);
  CHECK(writer.recovery()->bytes == kZeros.size() + end);
  writer.append(run_resumed_event(3, 7, 0));
  writer.sync();
  CHECK(verify_event_log(run.events()).sound());
}

TEST_CASE_FIXTURE(RunWithLog, "a last segment whose first record is damaged is cut off whole") {
  overwrite_file(last_segment, kZeros);
  const LogPlace place = place_before_damage(run.root, damage());
  CHECK((place == LogPlace{1, 5}));
  EventLogWriter writer(run.events(), {.cut_damage_after = place});
  writer.append(run_resumed_event(2, 3, 2));
  writer.sync();
  CHECK(writer.segment_path() == last_segment);
  CHECK(verify_event_log(run.events()).sound());
}

TEST_CASE_FIXTURE(RunWithLog, "damage that a checkpoint was taken behind is refused with what can be done") {
  append(kZeros);
  take_checkpoint({2, 8});
  CHECK_THROWS_WITH_AS(place_before_damage(run.root, damage()), doctest::Contains("x.ckpt was taken at seq 8"),
                       CorruptionError);
  CHECK_THROWS_WITH_AS(place_before_damage(run.root, damage()), doctest::Contains("move those that were taken after"),
                       CorruptionError);
  overwrite_file(run.checkpoints() / "epochs" / "x.ckpt", "damaged");
  CHECK_THROWS_WITH_AS(place_before_damage(run.root, damage()), doctest::Contains("x.ckpt may have been taken behind"),
                       CorruptionError);
  take_checkpoint({2, 8}, "another run");
  CHECK((place_before_damage(run.root, damage()) == kLast));
}

TEST_CASE_FIXTURE(RunWithLog, "damage that no power failure leaves is refused") {
  SUBCASE("in an earlier segment") {
    std::string bytes = read_file(log_segment_path(run.events(), 1));
    bytes[20] = static_cast<char>(bytes[20] ^ 1);
    overwrite_file(log_segment_path(run.events(), 1), bytes);
  }
  SUBCASE("an earlier segment that was cut between two records") {
    const std::string first = read_file(log_segment_path(run.events(), 1));
    uint64_t length = 0;
    std::memcpy(&length, first.data(), sizeof length);
    overwrite_file(log_segment_path(run.events(), 1), first.substr(0, length + kFrameBytes));
  }
  CHECK_THROWS_WITH_AS(place_before_damage(run.root, damage()), doctest::Contains("it was durable"), CorruptionError);
}

TEST_CASE_FIXTURE(RunWithLog, "a writer cuts off nothing behind another event than it was told") {
  append(kZeros);
  const std::string before = read_file(last_segment);
  CHECK_THROWS_AS(EventLogWriter(run.events(), {.cut_damage_after = LogPlace{2, 6}}), DamageError);
  CHECK(read_file(last_segment) == before);
}

TEST_CASE_FIXTURE(RunWithLog, "a log that ends before one of the run's checkpoints has lost events") {
  CHECK_NOTHROW(require_no_checkpoint_after(run.root, list_checkpoints(run.root),
                                            kLast));  // There is no folder of checkpoints yet.
  take_checkpoint(kLast);
  CHECK_NOTHROW(require_no_checkpoint_after(run.root, list_checkpoints(run.root), kLast));
  take_checkpoint({2, 8});
  CHECK_THROWS_WITH_AS(require_no_checkpoint_after(run.root, list_checkpoints(run.root), kLast),
                       doctest::Contains("has lost events"), CorruptionError);
}

TEST_CASE_FIXTURE(RunWithLog,
                  "a run that is named with a slash at its end has the checkpoints of a fork in it all the same") {
  take_checkpoint({2, 8}, run_name(run.root));
  const auto named = run.root / "";
  CHECK_THROWS_AS(require_no_checkpoint_after(named, list_checkpoints(named), kLast), CorruptionError);
}
