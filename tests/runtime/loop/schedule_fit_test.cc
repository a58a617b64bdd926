// Schedules inside a fit: what they set, what the events tell, and that every resumed run goes on with them.
#include <doctest/doctest.h>

#include <map>

#include "tests/support/schedule_fits.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/control.h"

using namespace troupe;

namespace {

using Configure = std::function<OptimizerConfig(SmallModule&)>;

std::shared_ptr<torch::optim::Optimizer> sgd(SmallModule& module, double lr = 0.1) {
  return std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(lr).momentum(0.9));
}

Configure per_step(LrSchedule schedule) {
  return [schedule = std::move(schedule)](SmallModule& module) -> OptimizerConfig {
    return {.interval = OptimizerConfig::Interval::kStep, .lr_schedule = schedule, .optimizer = sgd(module)};
  };
}

double momentum_of_fit(SmallFit& fit) {
  return fit.loop->training().param_groups().at(0).momentum();
}

}  // namespace

TEST_CASE("a schedule stopped at any place and resumed goes on bit for bit") {
  const std::map<std::string, LrSchedule> schedules = {
      {"one_cycle", lr_schedule::one_cycle({.total_steps = 12})},
      {"one_cycle, three_phase",
       lr_schedule::one_cycle({.max_lr = 0.2, .pct_start = 0.4, .three_phase = true, .total_steps = 10})},
      {"linear", lr_schedule::linear(9, 0.2)},
      {"polynomial", lr_schedule::polynomial(10, 2.0)},
      {"cosine_with_restarts", lr_schedule::cosine_with_restarts(2, 2, 0.001)},
      {"sequential",
       lr_schedule::sequential({lr_schedule::linear(3, 0.5), lr_schedule::one_cycle({.total_steps = 6})}, {3})},
      {"chained", lr_schedule::chained({lr_schedule::linear(5, 0.1), lr_schedule::exponential(0.9)})},
  };
  for (const auto& named : schedules) {
    CAPTURE(named.first);
    check_resumes_everywhere(small_options(), per_step(named.second));
  }
}

TEST_CASE("one_cycle sets the momentum of SGD, and the first beta of Adam, along with the rate") {
  const auto schedule = lr_schedule::one_cycle({.base_momentum = 0.7, .total_steps = 20});
  const auto adam = [&](SmallModule& module) -> OptimizerConfig {
    return {.interval = OptimizerConfig::Interval::kStep,
            .lr_schedule = schedule,
            .optimizer = std::make_shared<torch::optim::Adam>(module.parameters(), torch::optim::AdamOptions(0.1))};
  };
  for (const Configure& configure : {per_step(schedule), Configure(adam)}) {
    SmallFit fit(small_options(), configure);
    CHECK(momentum_of_fit(fit) == 0.95);
    CHECK(fit.loop->facts().param_groups(0).momentum() == 0.95);
    fit.run();
    CHECK(fit.loop->training().learning_rates().at(0) == schedule(0.1, 12));
    CHECK(momentum_of_fit(fit) == schedule.momentum(12));
  }
}

TEST_CASE("a schedule that cycles the momentum needs an optimizer that has one") {
  const auto adagrad = [](bool cycle_momentum) {
    return [=](SmallModule& module) -> OptimizerConfig {
      return {.lr_schedule = lr_schedule::one_cycle({.cycle_momentum = cycle_momentum, .total_steps = 20}),
              .optimizer = std::make_shared<torch::optim::Adagrad>(module.parameters())};
    };
  };
  CHECK_THROWS_WITH_AS(SmallFit(small_options(), adagrad(true)),
                       "configure_optimizers: the schedule one_cycle(total_steps=20, pct_start=0.3) cycles the "
                       "momentum, but Adagrad has neither a momentum nor betas: set cycle_momentum = false",
                       ConfigError);
  CHECK_NOTHROW(SmallFit(small_options(), adagrad(false)));
}

TEST_CASE("a momentum that is set by command is kept by a schedule that cycles it, after a resume too") {
  const auto configure = per_step(lr_schedule::one_cycle({.total_steps = 12}));
  const Prepare set_momentum = [](SmallFit& fit) {
    const auto decide = fit.sink.decide;
    fit.sink.decide = [decide](const Event& event) {
      auto decisions = decide ? decide(event) : std::vector<Decision>();
      if (event.has_train_batch_ended() && event.position().global_step() == 3) {
        Decision decision{"c", "Controller", {}};
        decision.command.mutable_set_momentum()->set_momentum(0.5);
        decisions.push_back(decision);
      }
      return decisions;
    };
    fit.sink.asked.set(Event::kTrainBatchEnded);
  };
  SmallFit fit(small_options(), configure);
  set_momentum(fit);
  fit.run();
  CHECK(momentum_of_fit(fit) == 0.5);
  CHECK(fit.loop->training().learning_rates().at(0) == lr_schedule::one_cycle({.total_steps = 12})(0.1, 12));
  check_resumes_everywhere(small_options(), configure, set_momentum);
}

TEST_CASE("LogLearningRates logs the momenta that steps were made with") {
  const auto schedule = lr_schedule::one_cycle({.total_steps = 12});
  TrainerOptions options = small_options();
  options.log_every_n_steps = 1;
  for (const bool per_epoch : {false, true}) {
    CAPTURE(per_epoch);
    SmallFit fit(options, per_step(schedule));
    fit.control<FitStarted>([per_epoch](const Event&, Control& control) {
      v1::LogLearningRates how;
      how.set_log_momentum(true);
      how.set_interval(per_epoch ? v1::LogLearningRates::INTERVAL_EPOCH : v1::LogLearningRates::INTERVAL_STEP);
      control.log_learning_rates(how);
    });
    fit.run();
    std::vector<double> logged;
    const auto collect = [&](const auto& metrics) {
      for (const auto& metric : metrics) {
        if (metric.name() == "lr-SGD-momentum") {
          logged.push_back(metric.value());
        }
      }
    };
    for (const auto& event : fit.events<TrainBatchEnded>()) {
      collect(event.train_batch_ended().metrics());
    }
    for (const auto& event : fit.events<TrainEpochEnded>()) {
      collect(event.train_epoch_ended().metrics());
    }
    REQUIRE(logged.size() == (per_epoch ? 2 : 12));
    for (size_t i = 0; i < logged.size(); ++i) {
      CHECK(logged[i] == schedule.momentum(static_cast<int64_t>(per_epoch ? i * 6 : i)));
    }
  }
}
