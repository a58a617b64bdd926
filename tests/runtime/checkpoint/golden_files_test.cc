// What an earlier version has written is read to the same content for ever.
#include <doctest/doctest.h>

#include "tests/support/checkpoint_checks.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

const std::filesystem::path kGolden = testing::golden_dir();
const std::filesystem::path kGoldenEvents = kGolden / "event_log_v1" / "events";

}  // namespace

TEST_CASE("the event log of format 1 reads to the same events and folds to the same state") {
  const auto report = verify_event_log(kGoldenEvents);
  CHECK(report.sound());
  CHECK(report.ended);
  EventLogReader reader(kGoldenEvents);
  Event event;
  for (const auto& expected : resumed_run_events()) {
    REQUIRE(reader.next(event));
    CHECK(event.SerializeAsString() == expected.SerializeAsString());
  }
  CHECK_FALSE(reader.next(event));
  const RunState state = fold_event_log(kGoldenEvents);
  CHECK(state.seq() == 7);
  CHECK(state.metric("loss") == 0.25);
  CHECK(state.status() == v1::RUN_STATUS_FINISHED);
}

TEST_CASE("the checkpoint of format 1 reads to the same content") {
  check_equal(read_checkpoint(kGolden / "checkpoint_v1.ckpt"), SmallCheckpoint().parts);
}

TEST_CASE("a checkpoint of format 1 with everything that a fit puts into one reads to the same content") {
  const auto data = read_checkpoint(kGolden / "checkpoint_full_v1.ckpt");
  check_equal(data, FullCheckpoint().parts);
  CHECK(data.training_state->optimizers(0).plateau().bad_checks() == 2);
  CHECK(StateDict(data.training_state->module_state()).get_bytes("raw") == std::string("\xff\x00", 2));
}

TEST_CASE("today's files have the bytes of format 1") {
  const TemporaryFolder folder;
  write_log(folder.path(), resumed_run_events());
  for (const uint32_t number : {1U, 2U}) {
    CHECK(read_file(log_segment_path(folder.path(), number)) == read_file(log_segment_path(kGoldenEvents, number)));
  }
  write_checkpoint(folder.path() / "c.ckpt", SmallCheckpoint().parts);
  CHECK(read_file(folder.path() / "c.ckpt") == read_file(kGolden / "checkpoint_v1.ckpt"));
  write_checkpoint(folder.path() / "full.ckpt", FullCheckpoint().parts);
  CHECK(read_file(folder.path() / "full.ckpt") == read_file(kGolden / "checkpoint_full_v1.ckpt"));
}
