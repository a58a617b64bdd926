#include "troupe/callbacks/tuning/learning_rate_finder.h"

#include <doctest/doctest.h>

#include <algorithm>

#include <cmath>
#include <sstream>

#include "tests/support/captured_stderr.h"
#include "tests/support/contains.h"
#include "tests/support/lent_callback.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_fit.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/user_event.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;
using troupe::testing::CapturedStderr;

namespace {

LearningRateFinderOptions quiet_sweep() {
  return {.curve = "", .max_lr = 10, .min_lr = 1e-4, .num_training_steps = 40, .verbose = false};
}

/// The rows of a CSV file of numbers, without its header.
std::vector<std::vector<double>> csv_rows(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path));
  std::vector<std::vector<double>> rows;
  std::string line;
  std::getline(lines, line);
  CHECK(line == "lr,loss,smoothed_loss");
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      rows.back().push_back(std::stod(field));
    }
  }
  return rows;
}

EventValues found_values(const std::vector<Event>& events) {
  REQUIRE(events.size() == 1);
  CHECK(events[0].user_event().type() == "LearningRateFound");
  return event_values(events[0].user_event());
}

/// Its loss rises from step to step, whatever the rate.
class RisingModule : public TinyModule {
 public:
  at::Tensor training_step(const Batch& batch, int64_t batch_index) override {
    return TinyModule::training_step(batch, batch_index) * 0 + 100 + ++calls_;
  }

 private:
  int64_t calls_ = 0;
};

}  // namespace

TEST_CASE("the rate at which the loss falls fastest is commanded before the first step") {
  SmallFit fit;
  const auto finder = lend(fit, LearningRateFinder(quiet_sweep()));
  fit.run();
  const LrCurve& curve = finder->curve();
  REQUIRE(curve.rates.size() > 13);
  // Ten rates at the start and one at the end are not suggested. The logarithms of the rates are evenly spaced.
  const size_t first = 10;
  const size_t last = curve.rates.size() - 2;
  const auto slope = [&](size_t at) {
    const size_t before = std::max(first, at - 1);
    const size_t after = std::min(last, at + 1);
    return (curve.smoothed_losses[after] - curve.smoothed_losses[before]) / static_cast<double>(after - before);
  };
  size_t steepest = first;
  for (size_t i = first; i <= last; ++i) {
    steepest = slope(i) < slope(steepest) ? i : steepest;
  }
  REQUIRE(finder->suggestion());
  CHECK(*finder->suggestion() == curve.rates[steepest]);
  REQUIRE(fit.events<CommandApplied>().size() == 2);
  const auto applied = fit.events<CommandApplied>();
  const auto set = std::find_if(applied.begin(), applied.end(), [](const Event& event) {
    return event.command_applied().command().has_set_learning_rate();
  });
  REQUIRE(set != applied.end());
  const auto& command = set->command_applied().command().set_learning_rate();
  CHECK(command.lr() == *finder->suggestion());
  CHECK(command.group().empty());
  const auto values = found_values(fit.events<UserEvent>());
  CHECK(std::get<double>(values.at("lr")) == *finder->suggestion());
  CHECK(std::get<int64_t>(values.at("rates_tried")) == static_cast<int64_t>(curve.rates.size()));
  CHECK(std::get<bool>(values.at("applied")));
}

TEST_CASE("a sweep that only reports leaves the training as it would have been") {
  SmallFit plain;
  plain.run();
  SmallFit tried;
  auto options = quiet_sweep();
  options.apply = false;
  const auto finder = lend(tried, LearningRateFinder(options));
  tried.run();
  CHECK(finder->suggestion());
  CHECK(tried.state_bytes() == plain.state_bytes());
  CHECK_FALSE(std::get<bool>(found_values(tried.events<UserEvent>()).at("applied")));
}

TEST_CASE("a sweep whose steps throw puts the training back and passes the error on") {
  SmallFit fit;
  bool fail = false;
  fit.module->in_training_step = [&](int64_t batch_index) {
    if (fail && batch_index == 2) {
      throw std::runtime_error("step");
    }
  };
  fit.live<FitStarted>([&](const FitStarted&, Live&) { fail = true; });
  lend(fit, LearningRateFinder(quiet_sweep()));
  std::string weights;
  fit.live<ExceptionRaised>([&](const ExceptionRaised&, Live&) { weights = fit.state_bytes(); });
  CHECK_THROWS_WITH(fit.run(), "step");
  SmallFit untouched;
  std::string expected;
  untouched.live<FitStarted>([&](const FitStarted&, Live&) {
    expected = untouched.state_bytes();
    throw std::runtime_error("stop here");
  });
  CHECK_THROWS(untouched.run());
  CHECK(weights == expected);
}

TEST_CASE("the curve is written as CSV and as a picture") {
  const TemporaryFolder folder;
  SmallFit fit;
  auto options = quiet_sweep();
  options.curve = "tuning/lr";
  LearningRateFinder given(options);
  given.set_run_directory(folder.path());
  given.prepare_files(v1::STAGE_FIT);
  const auto finder = lend(fit, std::move(given));
  fit.run();
  const auto rows = csv_rows(folder.path() / "tuning/lr.csv");
  REQUIRE(rows.size() == finder->curve().rates.size());
  CHECK(rows.front()[0] == 1e-4);
  CHECK(rows.back()[1] == finder->curve().losses.back());
  CHECK(rows[5][2] == finder->curve().smoothed_losses[5]);
  const double factor = rows[1][0] / rows[0][0];
  CHECK(rows[8][0] == doctest::Approx(rows[7][0] * factor));
  CHECK(contains(read_file(folder.path() / "tuning/lr.svg"), "<svg"));
}

TEST_CASE("a linear sweep goes up by equal amounts to max_lr") {
  SmallFit fit;
  auto options = quiet_sweep();
  options.mode = LrSpacing::kLinear;
  options.max_lr = 0.05;
  options.early_stop_threshold.reset();
  const auto finder = lend(fit, LearningRateFinder(options));
  fit.run();
  const auto& rates = finder->curve().rates;
  REQUIRE(rates.size() == 40);
  CHECK(rates.back() == 0.05);
  CHECK(rates[20] - rates[19] == doctest::Approx(rates[3] - rates[2]));
}

TEST_CASE("a loss that explodes ends the sweep") {
  const auto tried = [](std::optional<double> threshold) {
    SmallFit fit;
    auto options = quiet_sweep();
    options.max_lr = 1000;
    options.early_stop_threshold = threshold;
    const auto finder = lend(fit, LearningRateFinder(options));
    fit.run();
    return finder->curve().rates.size();
  };
  CHECK(tried(1.1) <= tried(4.0));
  CHECK(tried(4.0) < 40);
  CHECK(tried(std::nullopt) == 40);
}

TEST_CASE("a loss that falls nowhere gives no suggestion, and the rates stay") {
  const TemporaryFolder folder;
  torch::manual_seed(1);
  RisingModule module;
  TinyData data;
  Trainer trainer(tiny_options(folder.path()));
  auto options = quiet_sweep();
  options.verbose = true;
  const auto finder = trainer.add(LearningRateFinder(options));
  const CapturedStderr said;
  const auto result = trainer.fit(module, data);
  CHECK_FALSE(finder.get().suggestion());
  CHECK(result.state.learning_rates().front().value() == doctest::Approx(0.1));
  CHECK(contains(said.text(), "no learning rate to suggest"));
  CHECK_FALSE(found_values(events_of<UserEvent>(folder.path())).contains("lr"));
}

TEST_CASE("a fast_dev_run, and a fit that has nothing to train, are not swept") {
  const TemporaryFolder folder;
  TinyModule module;
  TinyData data;
  TrainerOptions options = tiny_options(folder.path());
  SUBCASE("fast_dev_run") {
    options.fast_dev_run = 1;
  }
  SUBCASE("no epoch") {
    options.max_epochs = 0;
  }
  SUBCASE("no batch") {
    options.limit_train_batches = 0;
  }
  Trainer trainer(options);
  const auto finder = trainer.add(LearningRateFinder(quiet_sweep()));
  trainer.fit(module, data);
  CHECK(finder.get().curve().rates.empty());
}

TEST_CASE("a resumed run has the suggestion, and is not swept again") {
  const TemporaryFolder folder;
  const auto fit = [&](int64_t epochs, const std::string& resume) {
    torch::manual_seed(1);
    TinyModule module;
    TinyData data;
    TrainerOptions options = tiny_options(folder.path());
    options.enable_checkpointing = true;
    options.max_epochs = epochs;
    Trainer trainer(options);
    const auto finder = trainer.add(LearningRateFinder(quiet_sweep()));
    const auto result = trainer.fit(module, data, resume);
    CHECK(finder.get().curve().rates.empty() == !resume.empty());
    REQUIRE(finder.get().suggestion());
    CHECK(result.state.learning_rates().front().value() == *finder.get().suggestion());
    return *finder.get().suggestion();
  };
  const double first = fit(1, "");
  CHECK(fit(2, "last") == first);
  CHECK(events_of<UserEvent>(folder.path()).size() == 1);
}

TEST_CASE("options of a sweep that make no sense are refused") {
  CHECK_THROWS_WITH_AS(LearningRateFinder({.max_lr = 1e-3, .min_lr = 1e-3}),
                       "LearningRateFinder: 'max_lr' must be above 'min_lr', got 0.001 and 0.001", ConfigError);
  CHECK_THROWS_AS(LearningRateFinder({.min_lr = 0}), ConfigError);
  CHECK_THROWS_AS(LearningRateFinder({.early_stop_threshold = 0.9}), ConfigError);
  CHECK_THROWS_AS(LearningRateFinder({.num_training_steps = 12}), ConfigError);
}
