#include "troupe/callbacks/monitoring/model_summary.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/support/fake_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

void add_module(FitStarted& fit, const char* name, const char* type, uint32_t depth, uint64_t parameters,
                uint64_t trainable, bool training = true) {
  auto* module = fit.add_modules();
  module->set_name(name);
  module->set_type(type);
  module->set_depth(depth);
  module->set_parameters(parameters);
  module->set_trainable_parameters(trainable);
  module->set_bytes(4 * parameters);
  module->set_training(training);
}

FitStarted small_model() {
  FitStarted fit;
  add_module(fit, "", "Classifier", 0, 8410, 510);
  add_module(fit, "encoder", "Sequential", 1, 7850, 0, false);
  add_module(fit, "encoder.0", "Linear", 2, 7850, 0, false);
  add_module(fit, "head", "Linear", 1, 510, 510);
  return fit;
}

std::string printed(int64_t max_depth, const FitStarted& fit) {
  std::ostringstream out;
  FakeRun run(std::make_shared<ModelSummary>(ModelSummaryOptions{.max_depth = max_depth}, out));
  run.start_fit(fit);
  return out.str();
}

}  // namespace

TEST_CASE("the summary lists submodules and totals in Lightning's layout") {
  CHECK(printed(1, small_model()) == R"(
  | Name      | Type       | Params | Mode
-------------------------------------------------
0 | encoder   | Sequential | 7.8 K  | eval
1 | head      | Linear     | 510    | train
  | (its own) | n/a        | 50     | n/a
-------------------------------------------------
510       parameters that train
7.9 K     frozen parameters
8.4 K     parameters in all
0.034     MB of parameters
1         modules in train mode
2         modules in eval mode
)");
}

TEST_CASE("max_depth says how deep the summary goes") {
  CHECK(printed(0, small_model()).empty());
  CHECK(printed(1, small_model()).find("encoder.0") == std::string::npos);
  CHECK(printed(2, small_model()).find("1 | encoder.0 | Linear     | 7.8 K  | eval\n") != std::string::npos);
  CHECK(printed(-1, small_model()) == printed(2, small_model()));
  CHECK_THROWS_AS(ModelSummary({.max_depth = -2}), ConfigError);
}

TEST_CASE("a module without submodules has totals only") {
  FitStarted fit;
  CHECK(printed(1, fit).find("0         parameters in all\n") != std::string::npos);
}

TEST_CASE("counts are printed as people read them") {
  CHECK(human_readable_count(0) == "0");
  CHECK(human_readable_count(999) == "999");
  CHECK(human_readable_count(1000) == "1.0 K");
  CHECK(human_readable_count(123456) == "123 K");
  CHECK(human_readable_count(25600000) == "25.6 M");
  CHECK(human_readable_count(7000000000) == "7.0 B");
  CHECK(human_readable_count(1234000000000000) == "1234 T");
}
