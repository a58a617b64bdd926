#include "troupe/callbacks/logging/tensorboard_logger.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/captured_stderr.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/logger_run.h"
#include "tests/support/tensorboard_events.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file_size_signal.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

using BoardLines = std::vector<std::string>;

constexpr int64_t kStartedAtUs = 1'700'000'000'000'000;

struct Board : LoggerRun<TensorBoardLogger> {
  explicit Board(const TemporaryFolder& folder, RunState state = {})
      : LoggerRun(folder, "tensorboard/events.out.tfevents.1.values", std::move(state)),
        hyperparameters(path.parent_path() / "events.out.tfevents.0.hyperparameters") {}

  void start(uint32_t log_every_n_steps, const std::string& config_json = R"({"max_epochs": 3})") {
    RunStarted started;
    started.set_stage(v1::STAGE_FIT);
    started.set_started_at_unix_us(kStartedAtUs);
    started.set_config_json(config_json);
    run.send(started);
    run.position().set_stage(v1::STAGE_FIT);
    run.send(logging_every(log_every_n_steps));
  }

  void end(v1::RunStatus status) {
    RunEnded ended;
    ended.set_status(status);
    run.send(ended);
  }

  BoardLines lines() const { return tensorboard_lines(path); }

  std::filesystem::path hyperparameters;
};

tensorboard::HParamsPluginData plugin_data(const tensorboard::Event& event) {
  tensorboard::HParamsPluginData data;
  CHECK(data.ParseFromString(event.summary().value(0).metadata().plugin_data().content()));
  return data;
}

TextLogged note(const std::string& text) {
  TextLogged logged;
  logged.set_name("note");
  logged.set_text(text);
  return logged;
}

}  // namespace

TEST_CASE("TensorBoardLogger writes scalars where CSVLogger writes rows") {
  const TemporaryFolder folder;
  Board board(folder);
  board.start(2);
  board.run.validate({{"val_loss", 9.0}}, v1::STAGE_SANITY_CHECK);
  board.run.train_batch({{"loss", 1.0}});
  board.run.train_batch({{"acc", 0.25}, {"loss", 0.5}});
  board.accumulate();
  board.run.train_batch({{"loss", 0.75}});
  board.run.validate({{"val_loss", 2.0}});
  board.run.end_epoch({{"loss", kNaN}});
  TestEpochEnded test;
  test.add_metrics()->set_name("test_loss");
  board.run.send(test);
  CHECK(board.lines() ==
        BoardLines{"0 brain.Event:2", "2 acc 0.25", "2 loss 0.5", "3 val_loss 2", "3 loss nan", "3 test_loss 0"});
}

TEST_CASE("TensorBoardLogger writes what the module logged besides metrics, but not in the sanity check") {
  const TemporaryFolder folder;
  Board board(folder);
  board.start(50);
  board.run.position().set_stage(v1::STAGE_SANITY_CHECK);
  board.run.send(note("sane"));
  board.run.position().set_stage(v1::STAGE_FIT);
  board.run.train_batch();
  HistogramLogged histogram;
  histogram.set_name("weights");
  board.run.send(histogram);
  ImageLogged image;
  image.set_name("picture");
  board.run.send(image);
  board.run.send(note("hello"));
  CHECK(board.lines() == BoardLines{"0 brain.Event:2", "1 weights histogram", "1 picture image", "1 note text"});
  CHECK(tensorboard_events(board.path).back().summary().value(0).tensor().string_val(0) == "hello");
}

TEST_CASE("TensorBoardLogger writes what observers measured as scalars") {
  const TemporaryFolder folder;
  Board board(folder);
  board.start(50);
  board.run.train_batch();
  v1::Measured measured;
  measured.add_metrics()->set_name("cpu_percent");
  measured.mutable_metrics(0)->set_value(12.5);
  CallbackEmitted emitted;
  *emitted.mutable_event() = make_user_event(measured);
  board.run.send(emitted);
  *emitted.mutable_event() = make_user_event("other", {{"cpu_percent", 1.0}});
  board.run.send(emitted);
  *emitted.mutable_event() = make_user_event(v1::Measured());
  board.run.send(emitted);
  CHECK(board.lines() == BoardLines{"0 brain.Event:2", "1 cpu_percent 12.5"});
}

TEST_CASE("TensorBoardLogger's times are the run's own") {
  const TemporaryFolder folder;
  Board board(folder);
  board.run.elapsed_us = 10;
  board.start(1);
  board.run.elapsed_us = 2'000'010;
  board.run.train_batch({{"loss", 1.0}});
  CHECK(tensorboard_events(board.path).back().wall_time() == doctest::Approx(1'700'000'002.0).epsilon(1e-15));
  const StateDict saved = board.callback->state_dict();

  Board resumed(folder, board.run.state());
  resumed.callback->load_state_dict(saved);
  RunResumed event;
  event.set_incarnation(2);
  event.set_from_seq(resumed.run.state().seq());
  event.set_resumed_at_unix_us(kStartedAtUs + 60'000'000);
  event.set_config_json("{}");
  resumed.run.elapsed_us = 2'000'020;
  resumed.run.send(event);
  resumed.run.elapsed_us = 3'000'020;
  resumed.run.train_batch({{"loss", 1.0}});
  CHECK(tensorboard_events(board.path).back().wall_time() == doctest::Approx(1'700'000'061.0).epsilon(1e-15));
}

TEST_CASE("TensorBoardLogger writes the options of the process that runs as hyperparameters, and how the run ended") {
  const TemporaryFolder folder;
  Board board(folder);
  board.start(50);
  board.run.end_epoch({{"loss", 0.5}});
  const StateDict saved = board.callback->state_dict();
  const RunState state = board.run.state();
  board.end(v1::RUN_STATUS_FAILED);
  CHECK(board.lines() == BoardLines{"0 brain.Event:2", "0 loss 0.5", "0 _hparams_/session_end_info hparams"});
  CHECK(plugin_data(tensorboard_events(board.path).back()).session_end_info().status() == tensorboard::STATUS_FAILURE);
  const auto started = tensorboard_events(board.hyperparameters);
  REQUIRE(started.size() == 2);
  CHECK(plugin_data(started[1]).session_start_info().hparams().at("max_epochs").number_value() == 3);

  Board resumed(folder, state);
  resumed.callback->load_state_dict(saved);
  RunResumed event;
  event.set_incarnation(2);
  event.set_from_seq(state.seq());
  event.set_config_json(R"({"max_epochs": 5})");
  resumed.run.send(event);
  CHECK(resumed.lines() == BoardLines{"0 brain.Event:2", "0 loss 0.5"});
  const auto changed = tensorboard_events(board.hyperparameters);
  REQUIRE(changed.size() == 2);
  CHECK(plugin_data(changed[1]).session_start_info().hparams().at("max_epochs").number_value() == 5);
}

TEST_CASE("TensorBoardLogger cuts off what came after the checkpoint that a run is resumed from") {
  const TemporaryFolder folder;
  Board first(folder);
  first.start(1);
  first.run.train_batch({{"loss", 1.0}});
  const StateDict saved = first.callback->state_dict();
  const RunState state = first.run.state();
  SUBCASE("values") {
    first.run.train_batch({{"loss", 7.0}});
    first.run.send(note("later"));
  }
  SUBCASE("a torn record") {
    std::ofstream(first.path, std::ios::app) << "torn";
  }
  SUBCASE("nothing") {}
  Board second(folder, state);
  second.run.resume(saved);
  second.accumulate();  // Of the step that has been logged.
  second.run.train_batch({{"loss", 2.0}});
  CHECK(second.lines() == BoardLines{"0 brain.Event:2", "1 loss 1", "2 loss 2"});
}

TEST_CASE("TensorBoardLogger that is restarted without saved state writes the file again from the start") {
  const TemporaryFolder folder;
  Board first(folder);
  first.start(1);
  first.run.train_batch({{"loss", 1.0}});
  Board again(folder);
  again.start(1);
  CHECK(again.lines() == BoardLines{"0 brain.Event:2"});
  again.run.train_batch({{"loss", 1.0}});
  CHECK(again.lines() == BoardLines{"0 brain.Event:2", "1 loss 1"});
}

TEST_CASE("TensorBoardLogger says so when values are missing, and goes on after the last whole one") {
  const TemporaryFolder folder;
  Board first(folder);
  first.start(1);
  first.run.train_batch({{"loss", 1.0}});
  const auto whole = std::filesystem::file_size(first.path);
  first.run.train_batch({{"loss", 2.0}});
  const StateDict saved = first.callback->state_dict();
  const auto known = std::filesystem::file_size(first.path);
  std::filesystem::resize_file(first.path, known - 1);
  const CapturedStderr captured;
  Board second(folder, first.run.state());
  second.run.resume(saved);
  CHECK(captured.text() == "warning: TensorBoardLogger{'path': 'tensorboard'}: " + first.path.string() + " has " +
                               std::to_string(whole) + " of the " + std::to_string(known) +
                               " bytes that the checkpoint knows; the others are lost\n");
  CHECK(second.lines() == BoardLines{"0 brain.Event:2", "1 loss 1"});
}

TEST_CASE("TensorBoardLogger's folder that cannot be made is an error before the run that names it") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "";
  TensorBoardLogger logger({.path = "file/board"});
  logger.set_run_directory(folder.path());
  for (const Stage stage : {v1::STAGE_FIT, v1::STAGE_VALIDATE, v1::STAGE_TEST}) {
    CHECK_THROWS_WITH_AS(logger.prepare_files(stage), doctest::Contains("file/board"), IoError);
  }
  logger.prepare_files(v1::STAGE_PREDICT);
}

TEST_CASE("a disk that is full leaves TensorBoard whole records") {
  const TemporaryFolder folder;
  Board board(folder);
  board.start(1);
  board.run.train_batch({{"loss", 1.0}});
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(std::filesystem::file_size(board.path) + 5);
    CHECK_THROWS_AS(board.run.train_batch({{"loss", 2.0}}), IoError);
  }
  CHECK(board.lines() == BoardLines{"0 brain.Event:2", "1 loss 1"});
}
