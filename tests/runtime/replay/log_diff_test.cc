#include "troupe/runtime/replay/log_diff.h"

#include <doctest/doctest.h>

#include "tests/support/written_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Two epochs, with this val_loss in the second, and an end.
struct TwoEpochs : WrittenRun {
  explicit TwoEpochs(double val_loss = 0.25, const std::string& config = R"({"trainer":{"max_epochs":2}})")
      : WrittenRun(config) {
    start_fit();
    epoch(0.5);
    epoch(val_loss);
  }
  void finish() { end(v1::RUN_STATUS_FINISHED, "done"); }
};

LogDiff diff_of(WrittenRun& a, WrittenRun& b) {
  return diff_logs(a.write() / "events", b.write() / "events");
}

}  // namespace

TEST_CASE("runs that differ in times, hosts and environmental events alone are equal") {
  TwoEpochs a;
  TwoEpochs b;
  b.events[0].mutable_run_started()->mutable_environment()->set_host("other");
  b.events[0].mutable_run_started()->set_config_json(R"({"trainer":{"max_epochs":2,"run_dir":"elsewhere"}})");
  b.events[3].set_elapsed_us(77);
  v1::CheckpointSaved saved;
  saved.set_path("a.ckpt");
  b.add(saved);
  a.finish();
  b.finish();
  const auto diff = diff_of(a, b);
  CHECK(diff.equal());
  CHECK(diff.metrics.empty());
  CHECK(diff.a.counted == diff.b.counted);
  CHECK(diff.a.events + 1 == diff.b.events);
  CHECK(diff.b.end == "RUN_STATUS_FINISHED: done");
}

TEST_CASE("the first event that differs is found, by the last bit of a metric, with how much") {
  TwoEpochs a;
  TwoEpochs b(0.25 + 0x1p-54);
  const auto diff = diff_of(a, b);
  REQUIRE(diff.first);
  CHECK_FALSE(diff.equal());
  CHECK(diff.first->a->has_validation_epoch_ended());
  CHECK(diff.first->a->seq() == 12);
  CHECK(diff.first->index == 10);
  REQUIRE(diff.first->fields.size() == 1);
  CHECK(diff.first->fields[0].name == "validation_epoch_ended.metrics[val_loss].value");
  CHECK(diff.first->fields[0].by == 0x1p-54);
  REQUIRE(diff.metrics.size() == 1);
  CHECK(diff.metrics[0].name == "val_loss");
  CHECK(diff.a.end == "not ended");
}

TEST_CASE("a decision that only one run has, and a run that is longer, are differences") {
  TwoEpochs a;
  TwoEpochs b;
  v1::Command stop;
  stop.mutable_stop()->set_reason("enough");
  b.applied("c", 2, stop);
  const auto decided = diff_of(a, b);
  REQUIRE(decided.first);
  CHECK_FALSE(decided.first->a.has_value());
  CHECK(decided.first->b->has_command_applied());
  CHECK(decided.b.decisions == 1);
  TwoEpochs longer;
  longer.epoch(0.1);
  REQUIRE(diff_of(longer, a).first);
  CHECK(diff_of(longer, a).first->a->has_train_epoch_started());
  CHECK(diff_of(longer, a).a.epochs == 3);
}

TEST_CASE("configuration and environment are differences of their own") {
  TwoEpochs a;
  TwoEpochs b(0.25, R"({"trainer":{"max_epochs":3}})");
  b.events[0].mutable_run_started()->set_seed(5);
  const auto diff = diff_of(a, b);
  CHECK_FALSE(diff.first);
  CHECK_FALSE(diff.equal());
  REQUIRE(diff.configuration.size() == 1);
  CHECK(diff.configuration[0].name == "trainer.max_epochs");
  CHECK(diff.configuration[0].by == 1);
  REQUIRE(diff.environment.size() == 1);
  CHECK(diff.environment[0].name == "seed");
}

TEST_CASE("a run that was killed and resumed equals one that was not") {
  TwoEpochs whole;
  whole.finish();
  TwoEpochs broken;  // Seq 1 to 14, of which 9 to 14 are done again.
  auto resumed = run_resumed_event(2, 8, 6);
  auto again = std::vector<Event>(broken.events.begin() + 8, broken.events.end());
  broken.events.push_back(resumed);
  for (auto& event : again) {
    event.set_seq(event.seq() + 1);
    broken.events.push_back(event);
  }
  CHECK(diff_of(whole, broken).equal());
}

TEST_CASE("a damaged log is no run to compare") {
  TwoEpochs a;
  TwoEpochs b;
  const auto run = b.write();
  std::filesystem::resize_file(run / "events/00000001.tfrecord", 40);
  CHECK_THROWS_AS(diff_logs(a.write() / "events", run / "nothing"), IoError);
  CHECK(diff_logs(a.write() / "events", run / "events").b.events == 0);
}
