#include "troupe/deploy/experiment.h"

#include <doctest/doctest.h>

#include "troupe/callbacks/logging/csv_logger.h"

using namespace troupe;

namespace {

struct Greeter {
  void on(const FitStarted&) {}
};

}  // namespace

TEST_CASE("a callback that is added by its type alone has its default options") {
  Experiment by_type("name", "A program.");
  by_type.add_callback("CSVLogger");
  Experiment with_options("name", "A program.");
  with_options.add_callback("CSVLogger", CSVLoggerOptions());
  CHECK(by_type.registry.effective(by_type.callbacks()) == with_options.registry.effective(with_options.callbacks()));
  CHECK(by_type.registry.make_callbacks(by_type.callbacks()).size() == 1);
}

TEST_CASE("a class without options is added by its type") {
  Experiment experiment("name", "A program.");
  experiment.registry.register_callback<Greeter>("Greeter");
  experiment.add_callback("Greeter");
  const auto callbacks = experiment.registry.make_callbacks(experiment.callbacks());
  REQUIRE(callbacks.size() == 1);
  CHECK(callbacks[0]->info().type == "Greeter");
}
