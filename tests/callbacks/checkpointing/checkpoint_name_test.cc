#include "troupe/callbacks/checkpointing/checkpoint_name.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

std::optional<CheckpointName::Value> value_of(const std::string& name) {
  static const std::map<std::string, CheckpointName::Value> values{
      {"epoch", {3, true}},
      {"step", {40, true}},
      {"val_loss", {0.123456, false}},
      {"val/acc", {0.5, false}},
      {"whole", {2, false}},
      {"epoch_test", {7, true}},
      {"nan", {std::numeric_limits<double>::quiet_NaN()}},
      {"negative", {-1.5}},
  };
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

std::string format(std::string_view pattern, bool insert_names = true) {
  return CheckpointName(pattern, insert_names).format(value_of);
}

}  // namespace

TEST_CASE("a checkpoint name prints each field as name=value") {
  CHECK(format("{epoch}-{step}") == "epoch=3-step=40");
  CHECK(format("best-{epoch:02d}-{val_loss:.2f}") == "best-epoch=03-val_loss=0.12");
  CHECK(format("{epoch}-{epoch_test}") == "epoch=3-epoch_test=7");
  CHECK(format("plain") == "plain");
}

TEST_CASE("a checkpoint name without inserted names prints the values alone") {
  CHECK(format("epoch={epoch}-loss={val_loss:.3f}", false) == "epoch=3-loss=0.123");
}

TEST_CASE("a slash in a metric's name makes a folder") {
  CHECK(format("{val/acc:.1f}") == "val/acc=0.5");
}

TEST_CASE("formats print as Python's do") {
  CHECK(format("{val_loss}", false) == "0.123456");
  CHECK(format("{whole}", false) == "2.0");
  CHECK(format("{whole:06}", false) == "0002.0");
  CHECK(format("{negative:06}", false) == "-001.5");
  CHECK(format("{val_loss:.1e}", false) == "1.2e-01");
  CHECK(format("{val_loss:g}", false) == "0.123456");
  CHECK(format("{val_loss:07.2f}", false) == "0000.12");
  CHECK(format("{epoch:.1f}", false) == "3.0");
  CHECK(format("{epoch:5}", false) == "    3");
  CHECK(format("{nan:.2f}", false) == "nan");
}

TEST_CASE("a metric that is missing from a checkpoint name is an error") {
  CHECK_THROWS_WITH_AS(format("{epoch}-{acc:.2f}"), "checkpoint name '{epoch}-{acc:.2f}': there is no metric `acc` now",
                       ConfigError);
  CHECK_THROWS_WITH_AS(format("{val_loss:d}"),
                       "checkpoint name '{val_loss:d}': `val_loss` is 0.123456, which the format d cannot print",
                       ConfigError);
}

TEST_CASE("a template that cannot be read is refused at once") {
  for (const char* pattern : {"{epoch", "epoch}", "{a{b}}", "{}", "{:d}", "{epoch:x}", "{epoch:.2d}", "{loss:.2}",
                              "{loss:.f}", "{loss:100f}", "{loss:.2f }"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(CheckpointName(pattern, true), ConfigError);
  }
}

TEST_CASE("the shortest name has the literal text and a digit for every value") {
  CHECK(CheckpointName("{epoch}-{val_loss:.2f}", true).shortest() == "epoch=0-val_loss=0");
  CHECK(CheckpointName("e{epoch:03d}", false).shortest() == "e000");
}
