#include <doctest/doctest.h>

#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file_size_signal.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

struct EventLog {
  TemporaryFolder folder;
  std::filesystem::path events = folder.path() / "events";

  std::filesystem::path segment(uint32_t number) const { return log_segment_path(events, number); }

  template <class Reader>
  std::vector<std::string> read() const {
    Reader reader(events);
    std::vector<std::string> bytes;
    Event event;
    while (reader.next(event)) {
      bytes.push_back(event.SerializeAsString());
    }
    return bytes;
  }
};

std::vector<std::string> serialized(const std::vector<Event>& events) {
  std::vector<std::string> bytes;
  for (const auto& event : events) {
    bytes.push_back(event.SerializeAsString());
  }
  return bytes;
}

}  // namespace

TEST_CASE_FIXTURE(EventLog, "events come back as they were written, over segments") {
  std::vector<Event> written{run_started_event()};
  for (uint64_t seq = 2; seq <= 100; ++seq) {
    written.push_back(batch_event(seq, seq - 1));
  }
  write_log(events, written, {.segment_bytes_max = 1000});
  CHECK(list_log_segments(events).size() > 3);
  CHECK((read<EventLogReader>() == serialized(written)));
  const auto report = verify_event_log(events);
  CHECK(report.sound());
  CHECK_FALSE(report.ended);
  CHECK(report.events == 100);
}

TEST_CASE_FIXTURE(EventLog, "a writer that opens a log goes on after its last event") {
  write_log(events, {run_started_event(), batch_event(2, 1)});
  EventLogWriter writer(events);
  CHECK(writer.last_seq() == 2);
  CHECK(writer.incarnation() == 1);
  CHECK_FALSE(writer.recovery().has_value());
  CHECK_THROWS_AS(writer.append(batch_event(4, 2)), CorruptionError);
  writer.append(run_ended_event(3));
  CHECK(writer.sync() == 3);
  CHECK(verify_event_log(events).ended);
}

TEST_CASE_FIXTURE(EventLog, "a torn last record is truncated and reported, and the log goes on") {
  write_log(events, {run_started_event(), batch_event(2, 1), batch_event(3, 2)});
  const std::string whole = read_file(segment(1));
  overwrite_file(segment(1), whole.substr(0, whole.size() - 5));
  const auto torn = verify_event_log(events).damages;
  REQUIRE(torn.size() == 1);
  EventLogWriter writer(events);
  REQUIRE(writer.recovery().has_value());
  CHECK(writer.recovery()->file == segment(1));
  CHECK(writer.recovery()->offset == torn.front().offset);
  CHECK(writer.recovery()->bytes == whole.size() - 5 - torn.front().offset);
  CHECK(writer.last_seq() == 2);
  writer.append(run_resumed_event(2, 2, 0));
  writer.append(run_ended_event(4));
  writer.sync();
  CHECK(writer.segment_path() == segment(2));
  CHECK(verify_event_log(events).sound());
}

TEST_CASE_FIXTURE(EventLog, "a log that is damaged before its tail is not opened for writing") {
  write_log(events, resumed_run_events());
  std::string bytes = read_file(segment(1));
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  overwrite_file(segment(1), bytes);
  CHECK_THROWS_WITH_AS(EventLogWriter{events}, doctest::Contains("00000001.tfrecord"), CorruptionError);
  CHECK(read_file(segment(1)) == bytes);
}

TEST_CASE_FIXTURE(EventLog, "the effective history of two resumes is one run without gaps") {
  const std::vector<Event> kept{run_started_event(), batch_event(2, 1), run_resumed_event(3, 2, 4), batch_event(4, 2),
                                run_ended_event(5)};
  const std::vector<Event> all{
      kept[0],           kept[1],           batch_event(3, 2), batch_event(4, 3), run_resumed_event(2, 3, 1),
      batch_event(5, 3), batch_event(6, 4), kept[2],           kept[3],           kept[4]};
  write_log(events, all);
  CHECK((read<EventLogReader>() == serialized(all)));
  CHECK((read<EventHistory>() == serialized(kept)));
  const auto report = verify_event_log(events);
  CHECK(report.sound());
  CHECK(report.incarnations == 3);
  CHECK(report.superseded == 5);
  CHECK(report.ended);
  const RunState state = fold_event_log(events);
  CHECK(state.seq() == 5);
  CHECK(state.incarnation() == 3);
  CHECK(state.global_step() == 0);
}

TEST_CASE_FIXTURE(EventLog, "a fold stops where it is told to") {
  write_log(events, resumed_run_events());
  const RunState state =
      fold_event_log(events, [](const RunState& run, const Event&) { return run.global_step() == 2; });
  CHECK(state.seq() == 3);
  CHECK(state.metric("loss") == 0.5);
}

TEST_CASE_FIXTURE(EventLog, "a reader follows a log that is being written, into the next segment") {
  EventLogWriter writer(events, {.segment_bytes_max = 1});
  EventLogReader reader(events);
  Event event;
  CHECK_FALSE(reader.next(event));
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    writer.append(seq == 1 ? run_started_event() : batch_event(seq, seq - 1));
    writer.write();
    REQUIRE(reader.next(event));
    CHECK(event.seq() == seq);
    CHECK_FALSE(reader.next(event));
  }
}

TEST_CASE_FIXTURE(EventLog, "a log that cannot be written says where and how much of it is durable, and stays failed") {
  EventLogWriter writer(events);
  writer.append(run_started_event());
  writer.sync();
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(writer.segment_bytes() + 10);
    writer.append(batch_event(2, 1));
    CHECK_THROWS_WITH_AS(writer.sync(), doctest::Contains("durable up to seq 1"), IoError);
  }
  CHECK_THROWS_WITH_AS(writer.append(batch_event(3, 2)), doctest::Contains(segment(1).c_str()), IoError);
  CHECK(verify_event_log(events).sound());
  CHECK(EventLogWriter(events).last_seq() == 1);
}

TEST_CASE_FIXTURE(EventLog, "an event of an unknown type is damage with its place") {
  Event unknown;
  unknown.set_seq(2);
  {
    RecordWriter records(File::create((std::filesystem::create_directories(events), segment(1))));
    records.append(run_started_event());
    records.append(unknown);
    records.write();
  }
  const auto report = verify_event_log(events);
  REQUIRE(report.damages.size() == 1);
  CHECK(report.damages[0].offset == run_started_event().ByteSizeLong() + 16);
  CHECK_THROWS_AS(read<EventLogReader>(), DamageError);
}

TEST_CASE("a folder without a log is an IoError that says what is expected") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(EventLogReader{folder.path()}, doctest::Contains("00000001.tfrecord"), IoError);
  CHECK_THROWS_AS(verify_event_log(folder.path() / "missing"), IoError);
}
