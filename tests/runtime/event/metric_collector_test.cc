#include "troupe/runtime/event/metric_collector.h"

#include <doctest/doctest.h>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

using Metrics = google::protobuf::RepeatedPtrField<v1::Metric>;

double value_of(const Metrics& metrics, const std::string& name) {
  for (const auto& metric : metrics) {
    if (metric.name() == name) {
      return metric.value();
    }
  }
  FAIL("no metric " << name);
  return 0;
}

constexpr MetricCollector::How kStep{.on_step = true};
constexpr MetricCollector::How kEpoch{.on_epoch = true};
constexpr MetricCollector::How kBoth{.on_step = true, .on_epoch = true};

}  // namespace

TEST_CASE("an epoch's metric is the mean weighted by samples") {
  MetricCollector collector;
  collector.log("loss", 1.0, kEpoch, 3);
  collector.log("loss", 5.0, kEpoch, 1);
  Metrics metrics;
  collector.take_epoch(&metrics);
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].value() == 2.0);
}

TEST_CASE("a step's metric is there for that step only") {
  MetricCollector collector;
  collector.log("loss", 1.0, kStep, 1);
  Metrics first;
  collector.take_step(&first);
  CHECK(first.size() == 1);
  Metrics second;
  collector.take_step(&second);
  CHECK(second.empty());
}

TEST_CASE("a metric that is logged both ways appears under its name and its forked names, sorted") {
  MetricCollector collector;
  collector.log("loss", 2.0, kBoth, 1);
  collector.log("accuracy", 0.5, kStep, 1);
  Metrics step;
  collector.take_step(&step);
  REQUIRE(step.size() == 3);
  CHECK(step[0].name() == "accuracy");
  CHECK(step[1].name() == "loss");
  CHECK(step[2].name() == "loss_step");
  Metrics epoch;
  collector.take_epoch(&epoch);
  REQUIRE(epoch.size() == 2);
  CHECK(epoch[1].name() == "loss_epoch");
}

TEST_CASE("the means go on after a save and a load") {
  MetricCollector collector;
  collector.log("loss", 1.0, kBoth, 2);
  google::protobuf::RepeatedPtrField<v1::MetricAccumulator> saved;
  collector.save(&saved);
  MetricCollector resumed;
  resumed.load(saved);
  resumed.log("loss", 4.0, kBoth, 1);
  Metrics metrics;
  resumed.take_epoch(&metrics);
  CHECK(value_of(metrics, "loss_epoch") == 2.0);
}

TEST_CASE("a name must not change how it is logged within an epoch") {
  MetricCollector collector;
  collector.log("loss", 1.0, kStep, 1);
  CHECK_THROWS_WITH_AS(collector.log("loss", 1.0, kEpoch, 1),
                       "log('loss'): on_step and on_epoch must not change within an epoch", ConfigError);
  collector.reset();
  CHECK_NOTHROW(collector.log("loss", 1.0, kEpoch, 1));
}

TEST_CASE("a metric whose name is not UTF-8 is refused") {
  MetricCollector collector;
  CHECK_THROWS_WITH_AS(collector.log("lo\xffss", 1.0, {.on_step = true}, 1.0),
                       "log('lo?ss'): the name of a metric must be UTF-8", ConfigError);
}
