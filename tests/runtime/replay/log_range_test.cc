#include "troupe/runtime/replay/log_range.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/written_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Seqs of the events that lie in a range, of a run of three epochs.
std::vector<uint64_t> seqs_in(const std::string& from, const std::string& until, std::string* problem = nullptr) {
  WrittenRun run;
  for (int epoch = 0; epoch < 3; ++epoch) {  // Six events each, from seq 2 on.
    run.epoch(1);
  }
  LogRange range(from, until);
  std::vector<uint64_t> seqs;
  for (const auto& event : run.events) {
    if (range.contains(event)) {
      seqs.push_back(event.seq());
    }
  }
  if (problem != nullptr) {
    *problem = range.problem();
  }
  return seqs;
}

}  // namespace

TEST_CASE("a range has both its ends, of an epoch and a step too") {
  CHECK(seqs_in("", "").size() == 19);
  CHECK(seqs_in("18", "").size() == 2);
  CHECK(seqs_in("3", "4") == std::vector<uint64_t>{3, 4});
  CHECK(seqs_in("epoch=1", "epoch=1") == std::vector<uint64_t>{8, 9, 10, 11, 12, 13});
  CHECK(seqs_in("step=2", "step=3") == std::vector<uint64_t>{4, 5, 6, 7, 8, 9});
}

TEST_CASE("a range that begins behind the log says where that ends") {
  std::string problem;
  CHECK(seqs_in("step=7", "", &problem).empty());
  CHECK(problem == "nothing at --from step=7; the log ends at seq 19");
  CHECK(seqs_in("", "20", &problem).size() == 19);
  CHECK(problem.empty());
}

TEST_CASE("a place that is none is refused, and so is a range that ends before it begins") {
  for (const char* place : {"never", "3x", "-1", "step=", "epoch=1.5"}) {
    CAPTURE(place);
    CHECK_THROWS_AS(LogRange(place, ""), ConfigError);
  }
  CHECK_THROWS_WITH_AS(LogRange("", "x"), "--until x: expected SEQ, step=N or epoch=N", ConfigError);
  CHECK_THROWS_AS(LogRange("step=4", "step=3"), ConfigError);
}
