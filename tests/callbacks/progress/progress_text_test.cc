#include "troupe/callbacks/progress/progress_text.h"

#include <doctest/doctest.h>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::steady_clock::time_point kStart{1000s};

Progress progress(uint64_t done, uint64_t total, uint64_t done_before = 0) {
  return {.title = "Epoch 3/20", .done = done, .total = total, .done_before = done_before, .started = kStart};
}

}  // namespace

TEST_CASE("the bar shows percentage, counts, time spent and left, and rate") {
  CHECK(format_progress_bar(progress(31, 50), kStart + 12s) ==
        "Epoch 3/20  62% |######    | 31/50 [00:12<00:07, 2.6 it/s]");
  CHECK(format_progress_bar(progress(50, 50), kStart + 3723s) ==
        "Epoch 3/20 100% |##########| 50/50 [1:02:03<00:00, 74.5 s/it]");
  CHECK(format_progress_line(progress(5, 50), kStart + 1s) == "Epoch 3/20: 5/50 [00:01<00:09, 5.0 it/s]");
}

TEST_CASE("the rate counts what was done since the start") {
  CHECK(format_progress_line(progress(45, 50, 40), kStart + 5s) == "Epoch 3/20: 45/50 [00:05<00:05, 1.0 it/s]");
}

TEST_CASE("what is not known is not invented") {
  CHECK(format_progress_bar(progress(0, 50), kStart + 5s) == "Epoch 3/20   0% |          | 0/50 [00:05<?, ? it/s]");
  CHECK(format_progress_line(progress(3, 50), kStart) == "Epoch 3/20: 3/50 [00:00<?, ? it/s]");
  CHECK(format_progress_bar(progress(3, 0), kStart + 1s) == "Epoch 3/20 3 [00:01, 3.0 it/s]");
}
