// Plateaus inside a fit: where they look, what the events tell, and that every resumed run goes on with them.
#include <doctest/doctest.h>

#include "tests/support/schedule_fits.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/control.h"

using namespace troupe;

namespace {

using Configure = std::function<OptimizerConfig(SmallModule&)>;

/// The loss falls, so to kMax every value but the first is a bad one.
PlateauOptions never_better(PlateauOptions::Interval interval = PlateauOptions::Interval::kEpoch) {
  return {
      .factor = 0.5, .interval = interval, .mode = Mode::kMax, .monitor = "val_loss", .patience = 0, .threshold = 10};
}

Configure with_plateau(const PlateauOptions& plateau, const std::optional<LrSchedule>& schedule = std::nullopt) {
  return [=](SmallModule& module) -> OptimizerConfig {
    return {.interval = OptimizerConfig::Interval::kStep,
            .lr_schedule = schedule,
            .optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.1)),
            .plateau = plateau};
  };
}

TrainerOptions four_epochs() {
  TrainerOptions options;
  options.max_epochs = 4;
  options.val_check_interval = 0.5;
  return options;
}

double present_lr(SmallFit& fit) {
  return fit.loop->training().learning_rates().at(0);
}

template <EventBody E>
std::vector<std::vector<double>> rates_told(const SmallFit& fit) {
  std::vector<std::vector<double>> rates;
  for (const auto& event : fit.events<E>()) {
    const auto& told = EventTraits<E>::body(event).learning_rates();
    rates.emplace_back(told.begin(), told.end());
  }
  return rates;
}

std::string failure_of(SmallFit& fit) {
  try {
    fit.run();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

class ManualModule : public SmallModule {
 public:
  bool automatic_optimization() const override { return false; }
};

}  // namespace

TEST_CASE("a plateau reduces the rate at the end of an epoch, and TrainEpochEnded tells") {
  SmallFit fit(four_epochs(), with_plateau(never_better()));
  fit.run();
  CHECK(rates_told<TrainEpochEnded>(fit) == std::vector<std::vector<double>>{{}, {0.05}, {0.025}, {0.0125}});
  for (const auto& told : rates_told<ValidationEnded>(fit)) {
    CHECK(told.empty());
  }
  for (const auto& told : rates_told<TrainBatchEnded>(fit)) {
    CHECK(told.empty());
  }
  CHECK(present_lr(fit) == 0.0125);
  CHECK(fold_of(fit).learning_rates().at(0).value() == 0.0125);
}

TEST_CASE("a plateau that looks at validations reduces the rate there, and ValidationEnded tells") {
  auto options = never_better(PlateauOptions::Interval::kValidation);
  SmallFit twice_an_epoch(four_epochs(), with_plateau(options));
  twice_an_epoch.run();
  // The first one is the sanity check's, which is no check.
  CHECK(rates_told<ValidationEnded>(twice_an_epoch) ==
        std::vector<std::vector<double>>{
            {}, {}, {0.05}, {0.025}, {0.0125}, {0.00625}, {0.003125}, {0.0015625}, {0.00078125}});
  CHECK(fold_of(twice_an_epoch).learning_rates().at(0).value() == present_lr(twice_an_epoch));

  options.frequency = 3;
  SmallFit every_third(four_epochs(), with_plateau(options));
  every_third.run();
  CHECK(present_lr(every_third) == 0.05);
}

TEST_CASE("a run without a plateau tells no rates at the ends of epochs and validations") {
  SmallFit fit;
  fit.run();
  for (const auto& told : rates_told<TrainEpochEnded>(fit)) {
    CHECK(told.empty());
  }
  for (const auto& told : rates_told<ValidationEnded>(fit)) {
    CHECK(told.empty());
  }
  CHECK(fit.loop->training().loop().latest_metrics_size() == 0);
}

TEST_CASE("a plateau scales what a schedule gives later") {
  const auto schedule = lr_schedule::exponential(0.9);
  SmallFit fit(small_options(), with_plateau(never_better(), schedule));
  fit.run();
  CHECK(present_lr(fit) == doctest::Approx(0.5 * schedule(0.1, 12)));
}

TEST_CASE("a plateau goes on from a rate that was set by command") {
  SmallFit fit(four_epochs(), with_plateau(never_better()));
  fit.control<TrainBatchEnded>([](const Event& event, Control& control) {
    if (event.position().global_step() == 8) {
      control.set_learning_rate(0.4);
    }
  });
  fit.run();
  CHECK(present_lr(fit) == doctest::Approx(0.05));
  CHECK(fold_of(fit).learning_rates().at(0).value() == present_lr(fit));
}

TEST_CASE("a reduction to the rate from before a command is told") {
  SmallFit fit(small_options(), with_plateau(never_better()));
  fit.control<ValidationEnded>([](const Event& event, Control& control) {
    if (event.position().epoch() == 1) {
      control.set_learning_rate(0.2);
    }
  });
  fit.run();
  CHECK(rates_told<TrainEpochEnded>(fit) == std::vector<std::vector<double>>{{}, {0.1}});
  CHECK(fold_of(fit).learning_rates().at(0).value() == 0.1);
}

TEST_CASE("a plateau watches any metric: of a step, or logged by a callback") {
  PlateauOptions options = never_better();
  SUBCASE("of training") {
    options.monitor = "loss_epoch";
  }
  SUBCASE("by a callback") {
    options.monitor = "mine";
  }
  SmallFit fit(small_options(), with_plateau(options));
  fit.control<TrainBatchEnded>([](const Event&, Control& control) { control.log("mine", 1.0); });
  fit.run();
  CHECK(present_lr(fit) == 0.05);
}

TEST_CASE("a plateau whose metric is missing ends the run, and the message names those there are") {
  PlateauOptions options = never_better();
  options.monitor = "val_los";
  SmallFit fit(small_options(), with_plateau(options));
  CHECK(failure_of(fit) ==
        "plateau of SGD: no metric 'val_los' at the end of epoch 0: logged so far are loss, loss_epoch, loss_step, "
        "val_loss");
}

TEST_CASE("an epoch that is cut short before the metric came is no check") {
  TrainerOptions options = small_options();
  options.max_steps = 2;
  SmallFit fit(options, with_plateau(never_better()));
  CHECK(failure_of(fit).empty());
  CHECK(present_lr(fit) == 0.1);
}

TEST_CASE("a plateau is refused with manual optimisation, and with options out of their range") {
  ManualModule module;
  module.configure = with_plateau(never_better());
  CHECK_THROWS_WITH_AS(Training(module, 0),
                       "configure_optimizers: a plateau is for automatic optimisation, but the module optimises "
                       "manually: leave it out, and set the rate in training_step or by command",
                       ConfigError);
  PlateauOptions wrong = never_better();
  wrong.factor = 1.5;
  CHECK_THROWS_AS(SmallFit(small_options(), with_plateau(wrong)), ConfigError);
}

TEST_CASE("a plateau stopped at any place and resumed goes on bit for bit") {
  auto patient = never_better();
  patient.patience = 1;
  patient.cooldown = 1;
  for (const auto interval : {PlateauOptions::Interval::kEpoch, PlateauOptions::Interval::kValidation}) {
    CAPTURE(static_cast<int>(interval));
    patient.interval = interval;
    check_resumes_everywhere(four_epochs(), with_plateau(patient));
    check_resumes_everywhere(four_epochs(), with_plateau(patient, lr_schedule::cosine_with_restarts(4, 2)));
  }
}

TEST_CASE("a checkpoint without a plateau's state starts one afresh, and one with it does for a run without") {
  SmallFit without(four_epochs(), with_plateau(never_better()));
  save_everywhere(without);
  without.run();
  auto& last = *without.sink.snapshots.back();
  SmallFit none(four_epochs(), [](SmallModule& module) -> OptimizerConfig {
    return {.optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.1))};
  });
  CHECK_NOTHROW(none.resume(last));
  last.state.mutable_optimizers(0)->clear_plateau();
  SmallFit fresh(four_epochs(), with_plateau(never_better()));
  CHECK_NOTHROW(fresh.resume(last));
  CHECK(present_lr(fresh) == present_lr(without));
}
