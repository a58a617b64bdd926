#include "troupe/callbacks/checkpointing/model_checkpoint.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/captured_stderr.h"
#include "tests/support/fake_run.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;
using namespace troupe::testing;
using Commands = FakeRun::Commands;

namespace {

/// A run of one ModelCheckpoint that has started to fit.
struct Saver {
  explicit Saver(ModelCheckpointOptions options, const FitStarted& fit = usual_fit())
      : callback(std::make_shared<ModelCheckpoint>(std::move(options))), run(callback) {
    run.start_fit(fit);
  }

  Commands epoch(double value) { return run.epoch({{"val_loss", value}}); }

  std::shared_ptr<ModelCheckpoint> callback;
  FakeRun run;
};

/// "checkpoints/epoch=E-step=S.ckpt" after epoch E of 10 steps each.
std::string path_of(int epoch) {
  return "checkpoints/epoch=" + std::to_string(epoch) + "-step=" + std::to_string(10 * (epoch + 1)) + ".ckpt";
}
std::string save(int epoch) {
  return "save " + path_of(epoch);
}
std::string save_best(int epoch) {
  return save(epoch) + " (best)";
}
std::string remove(int epoch) {
  return "remove " + path_of(epoch);
}

/// The checkpoint of `path` is taken, and written or not.
void end_save(FakeRun& run, const std::string& path, double score, bool written) {
  CheckpointTaken taken;
  taken.set_path(path);
  taken.set_monitor("val_loss");
  taken.set_score(score);
  taken.set_best(true);
  run.send(taken);
  const uint64_t seq = run.state().seq();
  if (written) {
    CheckpointSaved saved;
    saved.set_path(path);
    saved.set_taken_seq(seq);
    run.send(saved);
  } else {
    CheckpointFailed failed;
    failed.set_path(path);
    failed.set_taken_seq(seq);
    run.send(failed);
  }
}

FitStarted validating_often() {
  FitStarted fit = usual_fit();
  fit.set_validates_at_epoch_end(false);
  return fit;
}

}  // namespace

TEST_CASE("by default ModelCheckpoint keeps the newest") {
  Saver saver({});
  CHECK(saver.run.epoch() == Commands{save_best(0)});
  CHECK(saver.run.epoch() == Commands{save_best(1), remove(0)});
  CHECK(saver.run.epoch() == Commands{save_best(2), remove(1)});
  CHECK(saver.callback->best_model_path() == path_of(2));
  const auto& command = saver.run.commands()[0].save_checkpoint();
  CHECK(command.monitor().empty());
  CHECK_FALSE(command.weights_only());
}

TEST_CASE("save_top_k -1 keeps all and 0 none") {
  Saver all({.save_top_k = -1});
  CHECK(all.run.epoch() == Commands{save_best(0)});
  CHECK(all.run.epoch() == Commands{save_best(1)});
  Saver none({.save_top_k = 0});
  CHECK(none.run.epoch() == kNothing);

  Saver all_scored({.monitor = "val_loss", .save_top_k = -1});
  CHECK(all_scored.epoch(1.0) == Commands{save_best(0)});
  CHECK(all_scored.epoch(2.0) == Commands{save(1)});
  CHECK(all_scored.epoch(0.5) == Commands{save_best(2)});
  CHECK(all_scored.callback->best_k_models().size() == 3);
}

TEST_CASE("the best k stay, the new file is asked for before the evicted one is removed, and ties lose") {
  Saver saver({.monitor = "val_loss", .save_top_k = 2});
  CHECK(saver.epoch(1.0) == Commands{save_best(0)});
  CHECK(saver.epoch(3.0) == Commands{save(1)});
  CHECK(saver.epoch(3.0) == kNothing);
  CHECK(saver.epoch(2.0) == Commands{save(3), remove(1)});
  CHECK(saver.epoch(0.5) == Commands{save_best(4), remove(3)});
  CHECK(saver.epoch(0.75) == Commands{save(5), remove(0)});
  CHECK(saver.callback->best_model_path() == path_of(4));
  CHECK(saver.callback->best_model_score() == 0.5);
  const auto& command = saver.run.commands()[0].save_checkpoint();
  CHECK(command.monitor() == "val_loss");
  CHECK(command.score() == 1.0);
}

TEST_CASE("in mode max larger values are better") {
  Saver saver({.mode = Mode::kMax, .monitor = "val_loss"});
  CHECK(saver.epoch(0.5) == Commands{save_best(0)});
  CHECK(saver.epoch(0.5) == kNothing);
  CHECK(saver.epoch(0.4) == kNothing);
  CHECK(saver.epoch(0.6) == Commands{save_best(3), remove(0)});
}

TEST_CASE("among equal scores the first saved is evicted first") {
  Saver saver({.monitor = "val_loss", .save_top_k = 3});
  for (int i = 0; i < 3; ++i) {
    saver.epoch(2.0);
  }
  CHECK(saver.callback->best_model_path() == path_of(0));
  CHECK(saver.epoch(1.0) == Commands{save_best(3), remove(0)});
  CHECK(saver.epoch(1.0) == Commands{save(4), remove(1)});
}

TEST_CASE("NaN ranks as the worst score") {
  for (const Mode mode : {Mode::kMin, Mode::kMax}) {
    const double sign = mode == Mode::kMin ? 1.0 : -1.0;
    Saver saver({.mode = mode, .monitor = "val_loss"});
    CHECK(saver.epoch(kNaN) == Commands{save_best(0)});
    CHECK(saver.callback->best_model_score() == sign * kInf);
    CHECK(saver.run.commands()[0].save_checkpoint().score() == sign * kInf);
    CHECK(saver.epoch(kNaN) == kNothing);
    CHECK(saver.epoch(sign * kInf) == kNothing);
    CHECK(saver.epoch(1.0) == Commands{save_best(3), remove(0)});
    CHECK(saver.epoch(kNaN) == kNothing);
  }
}

TEST_CASE("save_last follows each save, and only a save") {
  Saver saver({.monitor = "val_loss", .save_last = true});
  CHECK(saver.epoch(1.0) == Commands{save_best(0), "save checkpoints/last.ckpt"});
  CHECK(saver.epoch(2.0) == kNothing);
  CHECK(saver.epoch(0.5) == Commands{save_best(2), remove(0), "save checkpoints/last.ckpt"});
  CHECK(saver.callback->last_model_path() == "checkpoints/last.ckpt");
  CHECK(saver.run.send(TrainEnded()) == kNothing);
  CHECK(saver.run.state().epochs_completed() == 3);

  Saver only_last({.save_last = true, .save_top_k = 0});
  CHECK(only_last.run.epoch() == Commands{"save checkpoints/last.ckpt"});
  CHECK(only_last.run.epoch() == Commands{"save checkpoints/last.ckpt"});
}

TEST_CASE("save_last saves at the end when nothing was saved before") {
  Saver saver({.every_n_epochs = 5, .save_last = true});
  CHECK(saver.run.epoch() == kNothing);
  CHECK(saver.run.send(TrainEnded()) == Commands{"save checkpoints/last.ckpt"});
  CHECK(saver.run.send(TrainEnded()) == kNothing);
  Saver without({.every_n_epochs = 5});
  without.run.epoch();
  CHECK(without.run.send(TrainEnded()) == kNothing);
}

TEST_CASE("every_n_epochs selects epochs") {
  Saver saver({.every_n_epochs = 2, .save_top_k = -1});
  CHECK(saver.run.epoch() == kNothing);
  CHECK(saver.run.epoch() == Commands{save_best(1)});
  CHECK(saver.run.epoch() == kNothing);
  CHECK(saver.run.epoch() == Commands{save_best(3)});
  Saver never({.every_n_epochs = 0});
  CHECK(never.run.epoch() == kNothing);
}

TEST_CASE("every_n_train_steps saves after the steps that it divides, and not at epochs") {
  Saver saver({.every_n_train_steps = 4, .monitor = "loss", .save_top_k = -1});
  Commands all;
  for (int step = 1; step <= 9; ++step) {
    for (const auto& command : saver.run.train_batch({{"loss", 1.0 / step}})) {
      all.push_back(command);
    }
  }
  CHECK(saver.run.end_epoch() == kNothing);
  CHECK(all == Commands{"save checkpoints/epoch=0-step=4.ckpt (best)", "save checkpoints/epoch=0-step=8.ckpt (best)"});
  AskSchedule schedule(saver.callback->ask_when(), {});
  std::vector<uint64_t> asked;
  for (uint64_t step = 1; step <= 9; ++step) {
    Event event;
    event.mutable_train_batch_ended();
    event.mutable_position()->set_global_step(step);
    if (schedule.wants(event) != AskSchedule::Answer::kNo) {
      asked.push_back(step);
    }
  }
  CHECK(asked == std::vector<uint64_t>{4, 8});
}

TEST_CASE("without a trigger on batches ModelCheckpoint is never asked after one") {
  AskSchedule schedule(ModelCheckpoint().ask_when(), {});
  Event event;
  event.mutable_train_batch_ended();
  event.mutable_position()->set_global_step(1);
  event.set_elapsed_us(uint64_t{1} << 62);
  CHECK(schedule.wants(event) == AskSchedule::Answer::kNo);
}

TEST_CASE("a save is put off to the validation that measures its metric, for the first time or anew") {
  Saver saver({.every_n_train_steps = 5, .monitor = "val_loss", .save_on_train_epoch_end = false, .save_top_k = -1});
  for (int batch = 0; batch < 9; ++batch) {
    CHECK(saver.run.train_batch() == kNothing);  // After the fifth there is no val_loss yet.
  }
  CHECK(saver.run.train_batch() == kNothing);  // The epoch's last: a validation follows.
  CHECK(saver.run.validate({{"val_loss", 0.5}}) == Commands{"save checkpoints/epoch=0-step=10.ckpt (best)"});
  saver.run.end_epoch();
  for (int batch = 0; batch < 4; ++batch) {
    CHECK(saver.run.train_batch() == kNothing);
  }
  CHECK(saver.run.train_batch() == Commands{"save checkpoints/epoch=1-step=15.ckpt"});  // By what is known.
  CHECK(saver.run.validate({{"val_loss", 0.25}}) == kNothing);
}

TEST_CASE("a save that was put off is still made after a resume") {
  const ModelCheckpointOptions options{.every_n_train_steps = 5, .monitor = "val_loss"};
  Saver first(options);
  for (int batch = 0; batch < 7; ++batch) {
    first.run.train_batch();
  }
  FakeRun second(std::make_shared<ModelCheckpoint>(options), first.run.state());
  second.resume(first.callback->state_dict());
  second.position() = first.run.position();
  CHECK(second.validate({{"val_loss", 0.5}}) == Commands{"save checkpoints/epoch=0-step=7.ckpt (best)"});
}

TEST_CASE("train_time_interval saves after the first batch of each interval") {
  constexpr uint64_t kSecond = 1'000'000;
  Saver saver({.save_top_k = -1, .train_time_interval = "00:00:01:00"});
  saver.run.elapsed_us = 59 * kSecond;
  CHECK(saver.run.train_batch() == kNothing);
  saver.run.elapsed_us = 61 * kSecond;
  CHECK(saver.run.train_batch() == Commands{"save checkpoints/epoch=0-step=2.ckpt (best)"});
  saver.run.elapsed_us = 120 * kSecond;
  CHECK(saver.run.train_batch() == kNothing);
  CHECK(saver.run.end_epoch() == kNothing);
  saver.run.elapsed_us = 121 * kSecond;
  CHECK(saver.run.train_batch() == Commands{"save checkpoints/epoch=1-step=4.ckpt (best)"});
  AskSchedule schedule(saver.callback->ask_when(), {});
  Event event;
  event.mutable_train_batch_ended();
  event.set_elapsed_us(59 * kSecond);
  CHECK(schedule.wants(event) == AskSchedule::Answer::kNo);
  event.set_elapsed_us(60 * kSecond);
  CHECK(schedule.wants(event) == AskSchedule::Answer::kByClock);
}

TEST_CASE("ModelCheckpoint saves where validation makes the metric new") {
  SUBCASE("at the epoch's end when validation runs once an epoch") {
    Saver saver({});
    saver.run.train_batch();
    CHECK(saver.run.validate() == kNothing);
    CHECK(saver.run.end_epoch() == Commands{"save checkpoints/epoch=0-step=1.ckpt (best)"});
  }
  SUBCASE("at the epoch's end when there is no validation") {
    FitStarted fit = validating_often();
    fit.set_validation_batches(0);
    Saver saver({}, fit);
    CHECK(saver.run.epoch() == Commands{save_best(0)});
  }
  SUBCASE("after each validation otherwise") {
    Saver saver({.save_top_k = -1}, validating_often());
    saver.run.train_batch();
    CHECK(saver.run.validate() == Commands{"save checkpoints/epoch=0-step=1.ckpt (best)"});
    saver.run.train_batch();
    CHECK(saver.run.validate() == Commands{"save checkpoints/epoch=0-step=2.ckpt (best)"});
    CHECK(saver.run.end_epoch() == kNothing);
  }
  SUBCASE("where the options say") {
    Saver early({.save_on_train_epoch_end = false});
    early.run.train_batch();
    CHECK(early.run.validate().size() == 1);
    Saver late({.save_on_train_epoch_end = true}, validating_often());
    late.run.train_batch();
    CHECK(late.run.validate() == kNothing);
    CHECK(late.run.end_epoch().size() == 1);
  }
}

TEST_CASE("ModelCheckpoint saves once a step, and never before the first") {
  Saver saver({.save_top_k = -1}, validating_often());
  CHECK(saver.run.validate() == kNothing);
  saver.run.train_batch();
  CHECK(saver.run.validate().size() == 1);
  CHECK(saver.run.validate() == kNothing);
}

TEST_CASE("nothing is saved in a sanity check, in a fast_dev_run and outside a fit") {
  Saver sanity({.save_on_train_epoch_end = false});
  sanity.run.train_batch();
  CHECK(sanity.run.validate({}, v1::STAGE_SANITY_CHECK) == kNothing);

  FitStarted fit = usual_fit();
  fit.set_fast_dev_run(true);
  Saver fast({.save_last = true}, fit);
  CHECK(fast.run.epoch() == kNothing);
  CHECK(fast.run.send(TrainEnded()) == kNothing);

  FakeRun alone(std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.save_on_train_epoch_end = false}));
  RunStarted started;
  started.set_stage(v1::STAGE_VALIDATE);
  alone.send(started);
  alone.position().set_global_step(5);
  CHECK(alone.validate() == kNothing);
}

TEST_CASE("a missing monitor is a warning until validation has run, and then an error") {
  Saver saver({.monitor = "val_acc"});
  {
    const CapturedStderr captured;
    saver.run.train_batch({{"loss", 1.0}});
    CHECK(saver.run.end_epoch() == kNothing);
    saver.run.train_batch();
    CHECK(saver.run.end_epoch() == kNothing);
    CHECK(captured.text() == "warning: ModelCheckpoint: metric 'val_acc' is missing; logged so far: 'loss'\n");
  }
  CHECK_THROWS_WITH_AS(saver.epoch(1.0),
                       "ModelCheckpoint: metric 'val_acc' is missing; logged so far: 'loss', 'val_loss'", ConfigError);
}

TEST_CASE("file names hold metrics, folders and the module's own epoch and step") {
  Saver saver({.dirpath = "./out/", .filename = "{epoch:02d}-{val/loss:.2f}"});
  CHECK(saver.run.epoch({{"val/loss", 0.123}}) == Commands{"save out/epoch=00-val/loss=0.12.ckpt (best)"});
  Saver own({.dirpath = ".", .filename = "{epoch}-{step}"});
  CHECK(own.run.epoch({{"epoch", 7.0}, {"step", 9.5}}) == Commands{"save epoch=7-step=9.ckpt (best)"});
  Saver missing({.filename = "{acc}"});
  CHECK_THROWS_WITH_AS(missing.run.epoch(), "checkpoint name '{acc}': there is no metric `acc` now", ConfigError);
}

TEST_CASE("a name that is still kept gets a version") {
  Saver saver({.filename = "model", .monitor = "val_loss", .save_top_k = 2});
  CHECK(saver.epoch(3.0) == Commands{"save checkpoints/model.ckpt (best)"});
  CHECK(saver.epoch(2.0) == Commands{"save checkpoints/model-v1.ckpt (best)"});
  CHECK(saver.epoch(1.0) == Commands{"save checkpoints/model.ckpt (best)"});  // In place of the one that it drives out.
  CHECK(saver.epoch(0.5) == Commands{"save checkpoints/model-v1.ckpt (best)"});
  CHECK(saver.epoch(0.25) == Commands{"save checkpoints/model.ckpt (best)"});

  Saver overwriting({.enable_version_counter = false, .filename = "model", .monitor = "val_loss", .save_top_k = 2});
  overwriting.epoch(3.0);
  CHECK(overwriting.epoch(2.0) == Commands{"save checkpoints/model.ckpt (best)"});
  CHECK(overwriting.callback->best_k_models().size() == 1);

  Saver newest({.filename = "model", .save_top_k = -1});
  CHECK(newest.run.epoch() == Commands{"save checkpoints/model.ckpt (best)"});
  CHECK(newest.run.epoch() == Commands{"save checkpoints/model.ckpt (best)"});

  Saver last({.filename = "last", .save_last = true});
  CHECK(last.run.epoch() == Commands{"save checkpoints/last.ckpt (best)", "save checkpoints/last-v1.ckpt"});
  CHECK(last.run.epoch() == Commands{"save checkpoints/last.ckpt (best)", "save checkpoints/last-v1.ckpt"});
}

TEST_CASE("restored in mid-sequence, ModelCheckpoint decides as if nothing had happened") {
  const std::vector<double> values{1.0, 2.0, 2.0, kNaN, 0.5, 0.7, 0.7, 0.6, 0.1, 3.0};
  for (const char* filename : {"", "model"}) {
    const ModelCheckpointOptions options{
        .filename = filename, .monitor = "val_loss", .save_last = true, .save_top_k = 3};
    Saver straight(options);
    std::vector<Commands> expected;
    for (const double value : values) {
      expected.push_back(straight.epoch(value));
    }
    for (size_t cut = 1; cut < values.size(); ++cut) {
      Saver first(options);
      for (size_t i = 0; i < cut; ++i) {
        first.epoch(values[i]);
      }
      FakeRun second(std::make_shared<ModelCheckpoint>(options), first.run.state());
      CHECK(second.resume(first.callback->state_dict()) == kNothing);
      second.position() = first.run.position();
      for (size_t i = cut; i < values.size(); ++i) {
        CHECK(second.epoch({{"val_loss", values[i]}}) == expected[i]);
      }
      CHECK(second.callback().state_dict().to_json() == straight.callback->state_dict().to_json());
    }
  }
}

TEST_CASE("a changed dirpath restores the best path alone and leaves the old files be") {
  Saver first({});
  first.run.epoch();
  const CapturedStderr captured;
  auto callback = std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.dirpath = "elsewhere"});
  FakeRun second(callback, first.run.state());
  second.resume(first.callback->state_dict());
  CHECK(callback->best_model_path() == path_of(0));
  CHECK(captured.text() ==
        "warning: ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
        "'train_time_interval': None, 'dirpath': 'elsewhere'}: dirpath has changed from 'checkpoints' to 'elsewhere'; "
        "of its saved state only "
        "best_model_path is restored\n");
  second.position() = first.run.position();
  CHECK(second.epoch() == Commands{"save elsewhere/epoch=1-step=20.ckpt (best)"});
}

TEST_CASE("a smaller save_top_k drives out the surplus at the next save") {
  Saver first({.monitor = "val_loss", .save_top_k = 3});
  first.epoch(3.0);
  first.epoch(2.0);
  first.epoch(1.0);
  FakeRun second(std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.monitor = "val_loss", .save_top_k = 1}),
                 first.run.state());
  second.resume(first.callback->state_dict());
  second.position() = first.run.position();
  CHECK(second.epoch({{"val_loss", 0.5}}) == Commands{save_best(3), remove(0), remove(1), remove(2)});
}

TEST_CASE("ModelCheckpoint's state has Lightning's names") {
  Saver saver({.monitor = "val_loss", .save_last = true});
  saver.epoch(0.5);
  CHECK(
      saver.callback->state_dict().to_json() ==
      R"({"best_k_models":{"checkpoints/epoch=0-step=10.ckpt":0.5},"best_k_order":["checkpoints/epoch=0-step=10.ckpt"],)"
      R"("best_model_path":"checkpoints/epoch=0-step=10.ckpt","best_model_score":0.5,"current_score":0.5,)"
      R"("dirpath":"checkpoints","kept_paths":["checkpoints/epoch=0-step=10.ckpt","checkpoints/last.ckpt"],)"
      R"("kth_best_model_path":"checkpoints/epoch=0-step=10.ckpt","kth_value":0.5,"last_global_step_saved":10,)"
      R"("last_model_path":"checkpoints/last.ckpt","monitor":"val_loss"})");
}

TEST_CASE("the state key is Lightning's where folder and file name are the defaults") {
  CHECK(ModelCheckpoint({.every_n_epochs = 3, .monitor = "val_loss"}).state_key() ==
        "ModelCheckpoint{'monitor': 'val_loss', 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 3, "
        "'train_time_interval': None}");
  CHECK(ModelCheckpoint({.every_n_train_steps = 100}).state_key() ==
        "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 100, 'every_n_epochs': 0, "
        "'train_time_interval': None}");
}

TEST_CASE("the state key has folder and file name where they are not the defaults") {
  const auto end_of_key = [](const ModelCheckpointOptions& options) {
    const std::string key = ModelCheckpoint(options).state_key();
    return key.substr(key.find("'train_time_interval'"));
  };
  CHECK(end_of_key({.dirpath = "./checkpoints/", .filename = "{epoch}-{step}"}) == "'train_time_interval': None}");
  CHECK(end_of_key({.dirpath = "best/"}) == "'train_time_interval': None, 'dirpath': 'best'}");
  CHECK(end_of_key({.filename = "best"}) == "'train_time_interval': None, 'filename': 'best'}");
  CHECK(end_of_key({.dirpath = "/a", .filename = "b"}) ==
        "'train_time_interval': None, 'dirpath': '/a', 'filename': 'b'}");
}

TEST_CASE("a ModelCheckpoint knows the keys of those that differ in folder and file name alone") {
  const ModelCheckpoint callback({.dirpath = "best", .monitor = "val_loss"});
  for (const ModelCheckpointOptions& alike : std::vector<ModelCheckpointOptions>{
           {.monitor = "val_loss"},
           {.dirpath = "elsewhere", .monitor = "val_loss"},
           {.filename = "x", .monitor = "val_loss"},
           {.dirpath = "elsewhere", .filename = "x", .monitor = "val_loss", .save_top_k = 3}}) {
    CHECK(callback.takes_state_of(ModelCheckpoint(alike).state_key()));
  }
  CHECK_FALSE(callback.takes_state_of(ModelCheckpoint({.dirpath = "best"}).state_key()));
  CHECK_FALSE(callback.takes_state_of(ModelCheckpoint({.every_n_epochs = 2, .monitor = "val_loss"}).state_key()));
  CHECK_FALSE(callback.takes_state_of("EarlyStopping"));
  CHECK_FALSE(callback.takes_state_of(""));
}

TEST_CASE("ModelCheckpoint refuses impossible options") {
  CHECK_THROWS_WITH_AS(ModelCheckpoint({.save_top_k = 2}),
                       "ModelCheckpoint: 'save_top_k': without a 'monitor' it must be -1, 0 or 1, got 2", ConfigError);
  CHECK_THROWS_WITH_AS(ModelCheckpoint({.save_top_k = -2}),
                       "ModelCheckpoint: 'save_top_k': must be an integer of at least -1, got -2", ConfigError);
  CHECK_THROWS_AS(ModelCheckpoint({.every_n_epochs = -1}), ConfigError);
  CHECK_THROWS_AS(ModelCheckpoint({.every_n_train_steps = -1}), ConfigError);
  CHECK_THROWS_WITH_AS(
      ModelCheckpoint({.every_n_epochs = 1, .every_n_train_steps = 1}),
      "ModelCheckpoint: 'every_n_epochs', 'every_n_train_steps' and 'train_time_interval' exclude each other",
      ConfigError);
  CHECK_THROWS_WITH_AS(ModelCheckpoint({.train_time_interval = "1h"}),
                       "ModelCheckpoint: 'train_time_interval' must be \"DD:HH:MM:SS\" and not 0, got \"1h\"",
                       ConfigError);
  CHECK_THROWS_AS(ModelCheckpoint({.filename = "{epoch"}), ConfigError);
}

TEST_CASE("a checkpoint whose save failed is none of those that ModelCheckpoint names, and changes no decision") {
  const ModelCheckpointOptions options{.monitor = "val_loss", .save_last = true, .save_top_k = 2};
  const std::string last = "checkpoints/last.ckpt";
  Saver sound(options);
  Saver failing(options);
  for (const bool fails : {false, true}) {
    auto& run = fails ? failing.run : sound.run;
    (fails ? failing : sound).epoch(0.5);
    end_save(run, path_of(0), 0.5, true);
    end_save(run, last, 0.5, true);
    (fails ? failing : sound).epoch(0.25);
    end_save(run, path_of(1), 0.25, !fails);
    end_save(run, last, 0.25, !fails);
  }
  CHECK(sound.callback->best_model_path() == path_of(1));
  CHECK(sound.callback->last_model_path() == last);
  CHECK(failing.callback->best_model_path() == path_of(0));
  CHECK(failing.callback->best_model_score() == 0.5);
  CHECK(failing.callback->last_model_path().empty());
  CHECK((failing.callback->best_k_models() == std::vector<TopK::Model>{{path_of(0), 0.5}}));
  CHECK(failing.callback->state_dict().proto().ShortDebugString() ==
        sound.callback->state_dict().proto().ShortDebugString());
  CHECK(failing.epoch(0.125) == sound.epoch(0.125));
  end_save(failing.run, path_of(2), 0.125, true);
  CHECK(failing.callback->best_model_path() == path_of(2));
}

TEST_CASE("where the only save failed ModelCheckpoint names nothing, also after a resume") {
  Saver saver({});
  saver.run.epoch();
  end_save(saver.run, path_of(0), 0, false);
  CHECK(saver.callback->best_model_path().empty());
  const auto resumed = std::make_shared<ModelCheckpoint>();
  FakeRun run(resumed, saver.run.state());
  run.resume(saver.callback->state_dict());
  CHECK(resumed->best_model_path().empty());
}

TEST_CASE("a folder in which nothing can be saved is an error before a fit, and no matter in other stages") {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", "no folder");
  const auto prepare = [&](ModelCheckpointOptions options, Stage stage) {
    ModelCheckpoint callback(std::move(options));
    callback.set_run_directory(folder.path());
    callback.prepare_files(stage);
  };
  const std::string text = "ModelCheckpoint: cannot save in 'dirpath' " + (folder.path() / "file").string();
  CHECK_THROWS_WITH_AS(prepare({.dirpath = "file"}, v1::STAGE_FIT), doctest::Contains(text.c_str()), IoError);
  CHECK_THROWS_AS(prepare({.dirpath = "file/below"}, v1::STAGE_FIT), IoError);
  CHECK_THROWS_AS(prepare({.dirpath = std::string(300, 'x')}, v1::STAGE_FIT), IoError);
  prepare({.dirpath = "file"}, v1::STAGE_TEST);
  prepare({.dirpath = "file", .save_top_k = 0}, v1::STAGE_FIT);
  prepare({.dirpath = "new/folder"}, v1::STAGE_FIT);
  CHECK(std::filesystem::is_empty(folder.path() / "new" / "folder"));
}

TEST_CASE("a file name that no metric makes short enough is an error before a fit") {
  const TemporaryFolder folder;
  const auto prepare = [&](const std::string& filename) {
    ModelCheckpoint callback({.filename = filename});
    callback.set_run_directory(folder.path());
    callback.prepare_files(v1::STAGE_FIT);
  };
  CHECK_THROWS_WITH_AS(prepare(std::string(250, 'x')), doctest::Contains("its file system takes 255"), ConfigError);
  CHECK_THROWS_AS(prepare(std::string(250, 'x') + "/{epoch}" + std::string(250, 'x')), ConfigError);
  CHECK_THROWS_AS(prepare("{" + std::string(250, 'x') + "}"), ConfigError);
  prepare(std::string(100, 'x') + "/{epoch}" + std::string(200, 'x'));
}
