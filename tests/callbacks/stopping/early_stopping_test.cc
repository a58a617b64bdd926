#include "troupe/callbacks/stopping/early_stopping.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/captured_stderr.h"
#include "tests/support/fake_run.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;
using Commands = FakeRun::Commands;
using Reason = EarlyStopping::Reason;

namespace {

/// A run of one EarlyStopping that has started to fit.
struct Stopper {
  explicit Stopper(EarlyStoppingOptions options, const FitStarted& fit = usual_fit())
      : callback(std::make_shared<EarlyStopping>(std::move(options))), run(callback) {
    run.start_fit(fit);
  }

  Commands epoch(double value) { return run.epoch({{"val_loss", value}}); }

  std::shared_ptr<EarlyStopping> callback;
  FakeRun run;
};

const Commands kWithdrawn{"withdraw_stop"};

Commands exhausted(int checks, const std::string& best) {
  return {"stop: EarlyStopping: val_loss has not improved for " + std::to_string(checks) +
          (checks == 1 ? " check (best " : " checks (best ") + best + "); stopping"};
}

}  // namespace

TEST_CASE("EarlyStopping votes after patience checks without improvement") {
  Stopper stopper({.monitor = "val_loss", .patience = 2});
  CHECK(stopper.epoch(1.0) == kNothing);
  CHECK(stopper.epoch(1.5) == kNothing);
  CHECK(stopper.epoch(0.5) == kNothing);
  CHECK(stopper.callback->wait_count() == 0);
  CHECK(stopper.epoch(0.6) == kNothing);
  CHECK(stopper.epoch(0.7) == exhausted(2, "0.5 in epoch 2"));
  CHECK(stopper.callback->stopped_epoch() == 4);
  CHECK(stopper.callback->stopping_reason() == Reason::kPatienceExhausted);
  CHECK(stopper.run.state().votes().at("EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}") ==
        exhausted(2, "0.5 in epoch 2")[0].substr(6));
}

TEST_CASE("EarlyStopping in mode max waits for larger values") {
  Stopper stopper({.mode = Mode::kMax, .monitor = "val_loss", .patience = 1});
  CHECK(stopper.epoch(0.5) == kNothing);
  CHECK(stopper.epoch(0.6) == kNothing);
  CHECK(stopper.epoch(0.55) == exhausted(1, "0.6 in epoch 1"));
}

TEST_CASE("a tie is no improvement") {
  for (const Mode mode : {Mode::kMin, Mode::kMax}) {
    Stopper stopper({.mode = mode, .monitor = "val_loss", .patience = 1});
    CHECK(stopper.epoch(0.5) == kNothing);
    CHECK(stopper.epoch(0.5) == exhausted(1, "0.5 in epoch 0"));
  }
}

TEST_CASE("an improvement must exceed min_delta strictly, in both modes") {
  Stopper smaller({.min_delta = 0.25, .monitor = "val_loss", .patience = 1});
  CHECK(smaller.epoch(1.0) == kNothing);
  CHECK(smaller.epoch(0.5) == kNothing);
  CHECK(smaller.epoch(0.25) == exhausted(1, "0.5 in epoch 1"));

  Stopper larger({.min_delta = 0.25, .mode = Mode::kMax, .monitor = "val_loss", .patience = 1});
  CHECK(larger.epoch(0.5) == kNothing);
  CHECK(larger.epoch(1.0) == kNothing);
  CHECK(larger.epoch(1.25) == exhausted(1, "1 in epoch 1"));
}

TEST_CASE("patience 0 and patience 1 behave alike") {
  for (const int patience : {0, 1}) {
    Stopper stopper({.monitor = "val_loss", .patience = patience});
    CHECK(stopper.epoch(1.0) == kNothing);
    CHECK(stopper.epoch(0.9) == kNothing);
    CHECK(stopper.epoch(0.9) == exhausted(1, "0.9 in epoch 1"));
  }
}

TEST_CASE("the vote is withdrawn when a later check improves") {
  Stopper stopper({.monitor = "val_loss", .patience = 1});
  stopper.epoch(1.0);
  CHECK(stopper.epoch(1.1) == exhausted(1, "1 in epoch 0"));
  CHECK(stopper.epoch(1.2) == exhausted(2, "1 in epoch 0"));
  CHECK(stopper.run.state().votes().size() == 1);
  CHECK(stopper.epoch(0.9) == kWithdrawn);
  CHECK(stopper.run.state().votes().empty());
  CHECK(stopper.callback->stopped_epoch() == 0);
  CHECK(stopper.callback->stopping_reason() == Reason::kNotStopped);
  CHECK(stopper.epoch(0.8) == kNothing);
}

TEST_CASE("a value that is not finite stops at once and leaves best and wait alone") {
  for (const double value : {kNaN, kInf, -kInf}) {
    Stopper stopper({.monitor = "val_loss", .patience = 3});
    stopper.epoch(1.0);
    stopper.epoch(1.1);
    CHECK(stopper.epoch(value) == Commands{"stop: EarlyStopping: val_loss is " +
                                           std::string(std::isnan(value) ? "nan"
                                                       : value > 0       ? "inf"
                                                                         : "-inf") +
                                           ", which is not finite (best 1 in epoch 0); stopping"});
    CHECK(stopper.callback->stopping_reason() == Reason::kNonFiniteMetric);
    CHECK(stopper.callback->wait_count() == 1);
    CHECK(stopper.callback->best_score() == 1.0);
  }
}

TEST_CASE("without check_finite NaN counts as no improvement and -inf as the best") {
  Stopper stopper({.check_finite = false, .monitor = "val_loss", .patience = 1});
  stopper.epoch(1.0);
  CHECK(stopper.epoch(kNaN) == exhausted(1, "1 in epoch 0"));
  CHECK(stopper.epoch(-kInf) == kWithdrawn);
  CHECK(stopper.callback->best_score() == -kInf);
}

TEST_CASE("a value strictly better than stopping_threshold is good enough") {
  Stopper stopper({.monitor = "val_loss", .stopping_threshold = 0.1});
  CHECK(stopper.epoch(0.1) == kNothing);
  CHECK(stopper.epoch(0.05) ==
        Commands{"stop: EarlyStopping: val_loss is 0.05, below the stopping_threshold of 0.1; stopping"});
  CHECK(stopper.callback->stopping_reason() == Reason::kStoppingThreshold);
  CHECK(stopper.callback->best_score() == 0.1);

  Stopper larger({.mode = Mode::kMax, .monitor = "val_loss", .stopping_threshold = 0.9});
  CHECK(larger.epoch(0.9) == kNothing);
  CHECK(larger.epoch(1.0) ==
        Commands{"stop: EarlyStopping: val_loss is 1.0, above the stopping_threshold of 0.9; stopping"});
}

TEST_CASE("a value strictly worse than divergence_threshold is hopeless") {
  Stopper stopper({.divergence_threshold = 5.0, .monitor = "val_loss"});
  CHECK(stopper.epoch(5.0) == kNothing);
  CHECK(
      stopper.epoch(6.0) ==
      Commands{
          "stop: EarlyStopping: val_loss is 6.0, above the divergence_threshold of 5.0 (best 5 in epoch 0); stopping"});
  CHECK(stopper.callback->stopping_reason() == Reason::kDivergenceThreshold);
  CHECK(stopper.callback->wait_count() == 0);
  CHECK(stopper.epoch(4.0) == kWithdrawn);

  Stopper larger({.divergence_threshold = 0.2, .mode = Mode::kMax, .monitor = "val_loss"});
  CHECK(larger.epoch(0.2) == kNothing);
  CHECK(larger.epoch(0.1) == Commands{"stop: EarlyStopping: val_loss is 0.1, below the divergence_threshold of 0.2 "
                                      "(best 0.2 in epoch 0); stopping"});
}

TEST_CASE("EarlyStopping checks where validation makes the metric new") {
  const LoggedMetrics metrics{{"val_loss", 1.0}};
  SUBCASE("at the epoch's end when validation runs once an epoch") {
    Stopper stopper({.monitor = "val_loss", .patience = 1});
    stopper.run.epoch(metrics);
    CHECK(stopper.run.validate(metrics) == kNothing);
    CHECK(stopper.run.end_epoch() == exhausted(1, "1 in epoch 0"));
  }
  SUBCASE("at the epoch's end when there is no validation") {
    FitStarted fit = usual_fit();
    fit.set_validation_batches(0);
    fit.set_validates_at_epoch_end(false);
    Stopper stopper({.monitor = "val_loss", .patience = 1}, fit);
    stopper.run.epoch(metrics);
    CHECK(stopper.run.epoch(metrics) == exhausted(1, "1 in epoch 0"));
  }
  SUBCASE("after each validation otherwise: patience counts checks, not epochs") {
    FitStarted fit = usual_fit();
    fit.set_validates_at_epoch_end(false);
    Stopper stopper({.monitor = "val_loss", .patience = 2}, fit);
    CHECK(stopper.run.validate(metrics) == kNothing);
    CHECK(stopper.run.validate(metrics) == kNothing);
    CHECK(stopper.run.validate(metrics) == exhausted(2, "1 in epoch 0"));
    CHECK(stopper.run.end_epoch() == kNothing);
  }
  SUBCASE("where the options say") {
    Stopper stopper({.check_on_train_epoch_end = false, .monitor = "val_loss", .patience = 1});
    stopper.run.validate(metrics);
    CHECK(stopper.run.validate(metrics) == exhausted(1, "1 in epoch 0"));
  }
}

TEST_CASE("EarlyStopping does nothing in a sanity check, in a fast_dev_run and outside a fit") {
  const LoggedMetrics nan{{"val_loss", kNaN}};
  Stopper sanity({.check_on_train_epoch_end = false, .monitor = "val_loss"});
  CHECK(sanity.run.validate(nan, v1::STAGE_SANITY_CHECK) == kNothing);

  FitStarted fit = usual_fit();
  fit.set_fast_dev_run(true);
  Stopper fast({.monitor = "val_loss"}, fit);
  CHECK(fast.run.epoch(nan) == kNothing);

  FakeRun validation(
      std::make_shared<EarlyStopping>(EarlyStoppingOptions{.check_on_train_epoch_end = false, .monitor = "val_loss"}));
  RunStarted started;
  started.set_stage(v1::STAGE_VALIDATE);
  validation.send(started);
  CHECK(validation.validate(nan) == kNothing);
}

TEST_CASE("a missing metric is an error that names it and what is logged") {
  Stopper stopper({.monitor = "val_los"});
  CHECK_THROWS_WITH_AS(stopper.run.epoch({{"val_loss", 1.0}, {"acc", 0.5}}),
                       "EarlyStopping: metric 'val_los' is missing; logged so far: 'acc', 'val_loss'", ConfigError);
}

TEST_CASE("a missing metric is passed over when strict is off") {
  const CapturedStderr captured;
  Stopper stopper({.monitor = "val_los", .patience = 1, .strict = false});
  CHECK(stopper.epoch(1.0) == kNothing);
  CHECK(stopper.callback->wait_count() == 0);
  CHECK(captured.text().empty());
}

TEST_CASE("verbose tells what each check found") {
  const CapturedStderr captured;
  Stopper stopper({.monitor = "val_loss", .patience = 1, .verbose = true});
  stopper.epoch(1.0);
  stopper.epoch(0.75);
  stopper.epoch(0.8);
  CHECK(captured.text() ==
        "EarlyStopping: val_loss has improved to 1\n"
        "EarlyStopping: val_loss has improved to 0.75 (before: best 1 in epoch 0)\n"
        "EarlyStopping: val_loss has not improved for 1 check (best 0.75 in epoch 1); stopping\n");
}

TEST_CASE("a learning rate can be monitored") {
  FitStarted fit = usual_fit();
  fit.add_param_groups()->set_name("lr-SGD");
  fit.mutable_param_groups(0)->set_lr(0.1);
  Stopper stopper({.monitor = "lr-SGD", .patience = 1}, fit);
  CHECK(stopper.run.epoch() == kNothing);
  CHECK(stopper.run.epoch().size() == 1);
}

TEST_CASE("restored in mid-sequence, EarlyStopping decides as if nothing had happened") {
  const std::vector<double> values{1.0, 0.9, 0.95, 0.96, 0.97, 0.5, kNaN, 0.6, 0.6, 0.6, 0.4};
  const EarlyStoppingOptions options{.monitor = "val_loss", .patience = 3, .stopping_threshold = 0.45};
  Stopper straight(options);
  std::vector<Commands> expected;
  for (const double value : values) {
    expected.push_back(straight.epoch(value));
  }
  for (size_t cut = 1; cut < values.size(); ++cut) {
    Stopper first(options);
    for (size_t i = 0; i < cut; ++i) {
      first.epoch(values[i]);
    }
    const bool voted = !first.run.state().votes().empty();
    FakeRun second(std::make_shared<EarlyStopping>(options), first.run.state());
    const auto at_resume = second.resume(first.callback->state_dict());
    CHECK(at_resume.size() == (voted ? 1 : 0));
    for (size_t i = cut; i < values.size(); ++i) {
      second.position().set_epoch(static_cast<uint32_t>(i));
      CHECK(second.epoch({{"val_loss", values[i]}}) == expected[i]);
    }
    CHECK(second.callback().state_dict().to_json() == straight.callback->state_dict().to_json());
  }
}

TEST_CASE("on resume the present options win over the saved patience") {
  const EarlyStoppingOptions saved_options{.monitor = "val_loss", .patience = 2};
  Stopper first(saved_options);
  first.epoch(1.0);
  first.epoch(1.1);
  SUBCASE("a smaller one votes before the first step") {
    const CapturedStderr captured;
    FakeRun second(std::make_shared<EarlyStopping>(EarlyStoppingOptions{.monitor = "val_loss", .patience = 1}),
                   first.run.state());
    CHECK(second.resume(first.callback->state_dict()) == exhausted(1, "1 in epoch 0"));
    CHECK(captured.text() ==
          "warning: EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}: patience is 1 in the options and was 2 in the "
          "checkpoint; 1 is in force\n");
  }
  SUBCASE("a larger one lets a stopped run go on") {
    CHECK(first.epoch(1.2) == exhausted(2, "1 in epoch 0"));
    const CapturedStderr captured;
    FakeRun second(std::make_shared<EarlyStopping>(EarlyStoppingOptions{.monitor = "val_loss", .patience = 4}),
                   first.run.state());
    CHECK(second.resume(first.callback->state_dict()) == kNothing);
    CHECK(second.state().votes().empty());
    CHECK(second.epoch({{"val_loss", 1.3}}) == kNothing);
    CHECK(second.epoch({{"val_loss", 1.4}}) == exhausted(4, "1 in epoch 0"));
  }
}

TEST_CASE("on resume a threshold vote stands only by the present threshold") {
  const EarlyStoppingOptions options{.monitor = "val_loss", .stopping_threshold = 0.5};
  Stopper first(options);
  first.epoch(1.0);
  const auto vote = first.epoch(0.4);
  REQUIRE(vote.size() == 1);
  const StateDict saved = first.callback->state_dict();

  FakeRun same(std::make_shared<EarlyStopping>(options), first.run.state());
  CHECK(same.resume(saved) == vote);
  CHECK(same.callback().state_dict().to_json() == saved.to_json());

  EarlyStoppingOptions stricter = options;
  stricter.stopping_threshold = 0.3;
  FakeRun changed(std::make_shared<EarlyStopping>(stricter), first.run.state());
  CHECK(changed.resume(saved) == kNothing);
}

TEST_CASE("EarlyStopping's state has Lightning's names") {
  Stopper stopper({.monitor = "val_loss", .patience = 1});
  stopper.epoch(1.0);
  stopper.epoch(2.0);
  CHECK(stopper.callback->state_dict().to_json() ==
        R"({"best_epoch":0,"best_score":1.0,"last_score":2.0,"patience":1,"stopped_epoch":1,"stopping_reason":3,)"
        R"("stopping_reason_message":"EarlyStopping: val_loss has not improved for 1 check (best 1 in epoch 0); )"
        R"(stopping","wait_count":1})");
}

TEST_CASE("a state without the epoch of the best is taken as it is") {
  Stopper first({.monitor = "val_loss", .patience = 1});
  first.epoch(1.0);
  StateDict older;
  for (const char* number : {"best_score", "last_score"}) {
    older.set(number, 1.0);
  }
  older.set("wait_count", 0);
  older.set("stopped_epoch", 0);
  older.set("patience", 1);
  older.set("stopping_reason", 0);
  older.set("stopping_reason_message", "");
  FakeRun second(std::make_shared<EarlyStopping>(EarlyStoppingOptions{.monitor = "val_loss", .patience = 1}),
                 first.run.state());
  second.resume(older);
  CHECK(second.epoch({{"val_loss", 1.5}}) == exhausted(1, "1"));
}

TEST_CASE("EarlyStopping refuses impossible options") {
  CHECK_THROWS_WITH_AS(
      EarlyStopping({}),
      "EarlyStopping: 'monitor' is required: a string that is not empty. Metric to watch, as logged by the "
      "module.",
      ConfigError);
  CHECK_THROWS_WITH_AS(EarlyStopping({.monitor = "a", .patience = -1}),
                       "EarlyStopping: 'patience': must be an integer of at least 0, got -1", ConfigError);
  CHECK_THROWS_WITH_AS(EarlyStopping({.min_delta = -0.1, .monitor = "a"}),
                       "EarlyStopping: 'min_delta': must be a number of at least 0, got -0.1", ConfigError);
}
