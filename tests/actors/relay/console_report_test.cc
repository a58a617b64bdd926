#include "troupe/actors/relay/console_report.h"

#include <doctest/doctest.h>

#include "tests/support/captured_stderr.h"

using namespace troupe;

namespace {

std::string report_of(const Event& event) {
  const testing::CapturedStderr captured;
  report_to_console(event);
  return captured.text();
}

}  // namespace

TEST_CASE("a person is told of a long wait for a checkpoint, and not of a short one") {
  Event event;
  event.mutable_checkpoint_waited()->set_path("checkpoints/last.ckpt");
  event.mutable_checkpoint_waited()->set_waited_us(1234567);
  CHECK(report_of(event) ==
        "troupe: warning: training waited 1234 ms before checkpoint checkpoints/last.ckpt: two earlier ones were still "
        "being written; save less often, or to a faster disk\n");
  event.mutable_checkpoint_waited()->set_waited_us(99999);
  CHECK(report_of(event).empty());
}
