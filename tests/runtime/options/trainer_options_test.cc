#include "troupe/runtime/options/trainer_options.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

TrainerOptions read(const std::string& text) {
  TrainerOptions options;
  read_options("trainer", options, parse_json(text, "test"));
  return options;
}

}  // namespace

TEST_CASE("the defaults are sound and read back from their own JSON") {
  const TrainerOptions defaults;
  CHECK_NOTHROW(check_options("trainer", defaults));
  const auto json = options_to_json(defaults);
  CHECK(options_to_json(read(json.dump())) == json);
  CHECK(json["check_val_every_n_epoch"] == 1);
  CHECK(json["gradient_clip_algorithm"] == "norm");
}

TEST_CASE("max_epochs defaults to 1000 unless something else ends the run") {
  CHECK(TrainerOptions{}.resolved_max_epochs() == 1000);
  CHECK(TrainerOptions{}.resolved_max_epochs(/*has_time_limit=*/true) == -1);
  CHECK(TrainerOptions{.max_steps = 5}.resolved_max_epochs() == -1);
  CHECK(TrainerOptions{.max_steps = 0}.resolved_max_epochs() == -1);
  CHECK(TrainerOptions{.max_epochs = 3, .max_steps = 5}.resolved_max_epochs(true) == 3);
  CHECK(TrainerOptions{.max_epochs = -1}.resolved_max_epochs() == -1);
}

TEST_CASE("min_steps alone asks for one epoch too") {
  CHECK(TrainerOptions{}.resolved_min_epochs() == 0);
  CHECK(TrainerOptions{.min_steps = 5}.resolved_min_epochs() == 1);
  CHECK(TrainerOptions{.min_epochs = 2, .min_steps = 5}.resolved_min_epochs() == 2);
}

TEST_CASE("fast_dev_run replaces limits, minima and intervals") {
  const auto options =
      TrainerOptions{
          .check_val_every_n_epoch = 4, .fast_dev_run = 2, .limit_val_batches = 0.5, .max_epochs = 9, .min_epochs = 3}
          .effective();
  CHECK(options.limit_train_batches == CountOrFraction(2));
  CHECK(options.limit_val_batches == CountOrFraction(2));
  CHECK(options.limit_predict_batches == CountOrFraction(2));
  CHECK(options.max_epochs == 1);
  CHECK(options.max_steps == 2);
  CHECK_FALSE(options.min_epochs);
  CHECK(options.check_val_every_n_epoch == 1);
  CHECK(options.num_sanity_val_steps == 0);
  CHECK_FALSE(options.enable_checkpointing);
  CHECK(options_to_json(options.effective()) == options_to_json(options));
  CHECK(TrainerOptions{.max_epochs = 9}.effective().max_epochs == 9);
}

TEST_CASE("fast_dev_run takes true for one batch, other counts do not") {
  CHECK(read(R"({"fast_dev_run": true})").fast_dev_run == 1);
  CHECK(read(R"({"fast_dev_run": false})").fast_dev_run == 0);
  CHECK(read(R"({"fast_dev_run": 7})").fast_dev_run == 7);
  TrainerOptions options;
  set_option("trainer", options, "fast_dev_run", "true");
  CHECK(options.fast_dev_run == 1);
  CHECK_THROWS_AS(read(R"({"max_steps": true})"), ConfigError);
}

TEST_CASE("each limit is refused beyond its range") {
  for (const char* text : {R"({"max_epochs": -2})",
                           R"({"max_steps": -2})",
                           R"({"min_epochs": -1})",
                           R"({"limit_train_batches": -1})",
                           R"({"limit_val_batches": 1.1})",
                           R"({"val_check_interval": 0})",
                           R"({"val_check_interval": 0.0})",
                           R"({"val_check_interval": "00:00:00:00"})",
                           R"({"val_check_interval": "10"})",
                           R"({"val_check_interval": "15:00"})",
                           R"({"overfit_batches": 1.5})",
                           R"({"overfit_batches": -1})",
                           R"({"max_time": "12:00"})",
                           R"({"max_time": 60})",
                           R"({"precision": "16-mixed"})",
                           R"({"precision": 32})",
                           R"({"check_val_every_n_epoch": 0})",
                           R"({"num_sanity_val_steps": -2})",
                           R"({"accumulate_grad_batches": 0})",
                           R"({"gradient_clip_val": 0})",
                           R"({"gradient_clip_algorithm": "l1"})",
                           R"({"log_every_n_steps": -1})",
                           R"({"fast_dev_run": -1})",
                           R"({"seed": -1})",
                           R"({"num_threads": 0})",
                           R"({"controller_deadline_s": 0})",
                           R"({"drain_deadline_s": -1})",
                           R"({"name": "a/b"})",
                           R"({"name": ".."})",
                           R"({"default_root_dir": ""})"}) {
    CHECK_THROWS_AS_MESSAGE(read(text), ConfigError, text);
  }
  CHECK_NOTHROW(
      read(R"({"default_root_dir": "", "run_dir": "here", "controller_deadline_s": "inf", "max_epochs": 0})"));
}

TEST_CASE("combinations that contradict each other are refused with the reason") {
  CHECK_THROWS_WITH_AS(
      read(R"({"check_val_every_n_epoch": null, "val_check_interval": 0.5})"),
      "trainer: 'val_check_interval' is the fraction 0.5, but without 'check_val_every_n_epoch' it counts "
      "batches across epochs: make it an integer",
      ConfigError);
  CHECK_NOTHROW(read(R"({"check_val_every_n_epoch": null, "val_check_interval": 100})"));
  CHECK_THROWS_WITH_AS(read(R"({"min_epochs": 5, "max_epochs": 3})"),
                       "trainer: 'min_epochs' is 5, but the run ends at 'max_epochs' 3", ConfigError);
  CHECK_THROWS_WITH_AS(read(R"({"min_steps": 5, "max_steps": 3})"),
                       "trainer: 'min_steps' is 5, but the run ends at 'max_steps' 3", ConfigError);
  CHECK_NOTHROW(read(R"({"min_epochs": 5, "max_epochs": -1, "min_steps": 5})"));
}

TEST_CASE("a time limit takes the place of the default of max_epochs") {
  const auto options = read(R"({"max_time": "00:12:00:00"})");
  CHECK(options.max_time == "00:12:00:00");
  CHECK(options.resolved_max_epochs() == -1);
  CHECK_FALSE(read(R"({"max_time": null})").max_time);
}

TEST_CASE("val_check_interval takes a duration") {
  CHECK(read(R"({"val_check_interval": "00:00:15:00"})").val_check_interval.seconds() == 900);
  CHECK_NOTHROW(read(R"({"val_check_interval": "00:00:15:00", "check_val_every_n_epoch": null})"));
  TrainerOptions options;
  for (const char* text : {"00:00:15:00", "0.25", "7"}) {
    set_option("trainer", options, "val_check_interval", text);
    CHECK(options.val_check_interval.to_string() == text);
    CHECK(read(options_to_json(options).dump()).val_check_interval == options.val_check_interval);
  }
}

TEST_CASE("overfit_batches is the limit of training and validation alone") {
  const auto options = read(R"({"overfit_batches": 3, "limit_test_batches": 5})").effective();
  CHECK(options.limit_train_batches == CountOrFraction(3));
  CHECK(options.limit_val_batches == CountOrFraction(3));
  CHECK(options.limit_test_batches == CountOrFraction(5));
  CHECK(TrainerOptions{.limit_val_batches = 2}.effective().limit_val_batches == CountOrFraction(2));
  CHECK_THROWS_AS(read(R"({"overfit_batches": 3, "fast_dev_run": 1})"), ConfigError);
  CHECK_THROWS_WITH_AS(read(R"({"overfit_batches": 3, "limit_train_batches": 3})"),
                       "trainer: 'overfit_batches' is the limit of training and of validation, so "
                       "'limit_train_batches' cannot be given with it: leave one of them out",
                       ConfigError);
  CHECK_THROWS_AS(read(R"({"overfit_batches": 0.5, "limit_val_batches": 0})"), ConfigError);
  CHECK_NOTHROW(read(R"({"overfit_batches": 0, "limit_val_batches": 2})"));
}

TEST_CASE("barebones leaves out everything but the loop") {
  const auto options = read(R"({"barebones": true})").effective();
  CHECK(options.num_sanity_val_steps == 0);
  CHECK(options.log_every_n_steps == 0);
  CHECK_FALSE(options.enable_checkpointing);
  CHECK_FALSE(options.enable_progress_bar);
  CHECK_FALSE(options.enable_model_summary);
  CHECK_THROWS_WITH_AS(read(R"({"barebones": true, "detect_anomaly": true})"),
                       "trainer: 'barebones' leaves out everything but the loop, so 'detect_anomaly' cannot be given "
                       "with it: leave one of them out",
                       ConfigError);
  for (const char* text :
       {R"({"barebones": true, "fast_dev_run": 1})", R"({"barebones": true, "log_every_n_steps": 1})",
        R"({"barebones": true, "num_sanity_val_steps": -1})"}) {
    CHECK_THROWS_AS_MESSAGE(read(text), ConfigError, text);
  }
  CHECK_NOTHROW(read(R"({"barebones": true, "num_sanity_val_steps": 0, "log_every_n_steps": 0})"));
}
