#include <doctest/doctest.h>

#include <set>

#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/record_reader.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

struct ResumedLog {
  TemporaryFolder folder;
  std::filesystem::path events = folder.path();

  ResumedLog() { write_log(events, resumed_run_events()); }

  std::filesystem::path segment(uint32_t number) const { return log_segment_path(events, number); }

  std::set<uint64_t> boundaries(uint32_t number) const {
    std::set<uint64_t> offsets{0};
    RecordReader records(segment(number));
    while (records.next() == RecordStatus::kRecord) {
      offsets.insert(records.end_offset());
    }
    return offsets;
  }
};

}  // namespace

TEST_CASE_FIXTURE(ResumedLog, "a whole log is sound and ended, and its counts are told") {
  const auto report = verify_event_log(events);
  CHECK(report.sound());
  CHECK(report.ended);
  CHECK(report.segments == 2);
  CHECK(report.events == 9);
  CHECK(report.incarnations == 2);
  CHECK(report.superseded == 2);
  CHECK(report.last_seq == 7);
}

TEST_CASE_FIXTURE(ResumedLog, "every flipped byte of a log is found in its record") {
  for (const uint32_t number : {1U, 2U}) {
    const std::string whole = read_file(segment(number));
    const auto starts = boundaries(number);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
      overwrite_file(segment(number), flipped);
      const auto report = verify_event_log(events);
      REQUIRE_FALSE(report.sound());
      CHECK(report.damages.front().file == segment(number));
      CHECK(report.damages.front().offset == *std::prev(starts.upper_bound(i)));
      CHECK(report.damages.size() == 1);
    }
    overwrite_file(segment(number), whole);
  }
}

TEST_CASE_FIXTURE(ResumedLog, "every cut of the first segment is damage with its place") {
  const std::string whole = read_file(segment(1));
  for (size_t size = 0; size < whole.size(); ++size) {
    overwrite_file(segment(1), whole.substr(0, size));
    const auto report = verify_event_log(events);
    REQUIRE_FALSE(report.sound());
    const bool at_boundary = boundaries(1).contains(size);
    CHECK(report.damages.front().file == segment(at_boundary ? 2 : 1));
    CHECK(report.damages.front().offset == (at_boundary ? 0 : *boundaries(1).rbegin()));
  }
}

TEST_CASE_FIXTURE(ResumedLog,
                  "every cut of the last segment is damage, or at a record's end a log that has not ended") {
  const std::string whole = read_file(segment(2));
  const auto ends = boundaries(2);
  for (size_t size = 0; size < whole.size(); ++size) {
    overwrite_file(segment(2), whole.substr(0, size));
    const auto report = verify_event_log(events);
    CHECK(report.sound() == ends.contains(size));
    CHECK_FALSE(report.ended);
    if (!report.sound()) {
      CHECK(report.damages.front().file == segment(2));
      CHECK(report.damages.front().offset == *std::prev(ends.upper_bound(size)));
    }
  }
}

TEST_CASE_FIXTURE(ResumedLog, "trailing garbage is damage where it begins, in every segment") {
  for (const uint32_t number : {1U, 2U}) {
    const std::string whole = read_file(segment(number));
    for (const std::string& garbage :
         {std::string("x"), std::string("garbage that is longer than a frame"), std::string(64, '\0')}) {
      overwrite_file(segment(number), whole + garbage);
      const auto report = verify_event_log(events);
      REQUIRE_FALSE(report.sound());
      CHECK(report.damages.front().file == segment(number));
      CHECK(report.damages.front().offset == whole.size());
      CHECK(report.damages.front().bytes == garbage.size());
    }
    overwrite_file(segment(number), whole);
  }
}

TEST_CASE("a missing segment is damage with its name, be it the first or one in the middle") {
  std::vector<Event> written{run_started_event()};
  for (uint64_t seq = 2; seq <= 5; ++seq) {
    written.push_back(batch_event(seq, seq - 1));
  }
  for (const uint32_t missing : {1U, 3U}) {
    const TemporaryFolder folder;
    write_log(folder.path(), written, {.segment_bytes_max = 1});
    std::filesystem::remove(log_segment_path(folder.path(), missing));
    const auto report = verify_event_log(folder.path());
    REQUIRE(report.damages.size() == 1);
    CHECK(report.damages[0].file == log_segment_path(folder.path(), missing));
    CHECK_THROWS_AS(EventLogWriter{folder.path()}, DamageError);
  }
}

TEST_CASE_FIXTURE(ResumedLog, "verifying never writes, whatever it finds") {
  std::string bytes = read_file(segment(2));
  bytes[15] = static_cast<char>(bytes[15] ^ 1);
  overwrite_file(segment(2), bytes.substr(0, bytes.size() - 2));
  const auto before = folder_content(events);
  CHECK(verify_event_log(events).damages.size() == 2);
  CHECK((folder_content(events) == before));
}
