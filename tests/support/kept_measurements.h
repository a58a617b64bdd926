#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "troupe/callbacks/common/measured.h"
#include "troupe/runtime/event/user_event.h"

namespace troupe::testing {

/// Takes what an observer emits, all of which has to be v1::Measured, sorted by name.
class KeptMeasurements : public Outbox {
 public:
  void emit(v1::UserEvent event) override {
    CHECK(event.type() == "troupe.v1.Measured");
    v1::Measured measured;
    parse_user_event(event, measured, "test");
    events.emplace_back();
    std::string before;
    for (const auto& metric : measured.metrics()) {
      CHECK(before < metric.name());
      before = metric.name();
      events.back()[metric.name()] = metric.value();
    }
  }

  std::vector<Measurements> events;
};

}  // namespace troupe::testing
