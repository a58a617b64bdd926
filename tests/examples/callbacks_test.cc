// The programs of examples/callbacks (lr_finder: lr_finder_test.cc), each run as a user runs it; what it wrote and
// printed is checked against the run's log and against numbers that are computed here once more.
#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>

#include "examples/callbacks/toy.h"
#include "tests/examples/program_run.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/module/seed.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

/// The number in `line` after `word`.
double number_after(const std::string& line, const std::string& word) {
  CAPTURE(line);
  const auto place = line.find(word + " ");
  REQUIRE(place != std::string::npos);
  return std::stod(line.substr(place + word.size() + 1));
}

/// The model as a program has it at the start.
std::shared_ptr<toy::Net> fresh_net() {
  seed_everything(TrainerOptions().seed);
  return std::make_shared<toy::Net>();
}

doctest::Approx as_printed(double value) {
  return doctest::Approx(value).epsilon(1e-5);  // Streams print 6 digits.
}

}  // namespace

TEST_CASE("metrics_logger prints the metrics of every validation, and none of the sanity check") {
  const ProgramRun run("metrics_logger");
  const auto lines = run.printed("epoch ");
  const auto losses = run.validation_metric("val_loss");
  const auto maes = run.validation_metric("val_mae");
  REQUIRE(lines.size() == 4);
  REQUIRE(losses.size() == 4);
  for (size_t epoch = 0; epoch < 4; ++epoch) {
    CHECK(lines[epoch].starts_with(std::to_string(epoch) + " "));
    CHECK(number_after(lines[epoch], "val_loss") == as_printed(losses[epoch]));
    CHECK(number_after(lines[epoch], "val_mae") == as_printed(maes[epoch]));
  }
  CHECK(run.events(Event::kSanityCheckEnded).size() == 1);
  CHECK(losses[3] < losses[0]);
}

TEST_CASE("gradient_monitor logs the norm of every gradient of every step") {
  const ProgramRun run("gradient_monitor");
  std::vector<std::pair<std::string, double>> logged;
  for (const auto& event : run.events(Event::kCommandApplied)) {
    const auto& metric = event.command_applied().command().log_metric();
    logged.emplace_back(metric.name(), metric.value());
  }
  REQUIRE(logged.size() == 4 * 8 * 4);  // Parameters, batches, epochs.

  const auto net = fresh_net();
  const auto batch = toy::Data().train_dataloader()->next();
  torch::mse_loss(net->predict_step(batch, 0), batch.target).backward();
  size_t i = 0;
  for (const auto& parameter : net->named_parameters()) {
    CHECK(logged[i].first == "grad_norm/" + parameter.key());
    CHECK(logged[i].second == doctest::Approx(parameter.value().grad().norm().item<double>()).epsilon(1e-6));
    CHECK(logged[i].second > 0);
    ++i;
  }
  for (size_t last = logged.size() - 4; last < logged.size(); ++last) {
    const auto printed = run.printed(logged[last].first + " ");
    REQUIRE(printed.size() == 1);
    CHECK(std::stod(printed[0]) == as_printed(logged[last].second));
  }
}

TEST_CASE("custom_checkpoint saves after every second epoch, and says so when the file is there") {
  const ProgramRun run("custom_checkpoint");
  const std::vector<std::string> expected = {"checkpoints/after-2-epochs.ckpt", "checkpoints/after-4-epochs.ckpt",
                                             "checkpoints/after-6-epochs.ckpt"};
  CHECK(run.printed("saved ") == expected);
  const auto files = fs::directory_iterator(run.run_dir() / "checkpoints");
  CHECK(std::distance(fs::begin(files), fs::end(files)) == 3);
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto checkpoint = read_checkpoint(run.run_dir() / expected[i]);
    CHECK(RunState::from_proto(checkpoint.run_state).global_step() == (i + 1) * 2 * 8);
    CHECK_FALSE(checkpoint.header.weights_only());
  }
}

TEST_CASE("freeze_unfreeze leaves the backbone as it was made for two epochs, and trains it then") {
  const ProgramRun run("freeze_unfreeze");
  const auto lines = run.printed("epoch ");
  REQUIRE(lines.size() == 4);
  std::vector<float> backbone;
  std::vector<float> head;
  for (const auto& line : lines) {
    backbone.push_back(static_cast<float>(number_after(line, "backbone")));
    head.push_back(static_cast<float>(number_after(line, "head")));
  }
  const auto net = fresh_net();
  CHECK(backbone[0] == net->named_parameters()["backbone.weight"].norm().item<float>());
  CHECK(backbone[1] == backbone[0]);
  CHECK(backbone[2] != backbone[1]);
  CHECK(backbone[3] != backbone[2]);
  CHECK(head[0] != net->named_parameters()["head.weight"].norm().item<float>());
  CHECK(head[1] != head[0]);
  CHECK(run.events(Event::kCommandRefused).empty());
}

TEST_CASE("prediction_saver writes the predictions as NumPy reads them") {
  const ProgramRun run("prediction_saver");
  const fs::path path = run.run_dir() / "predict" / "001" / "predictions.npy";
  CHECK(run.printed("saved ") == std::vector{path.string()});
  const std::string file = read_file(path);
  CHECK(file.starts_with("\x93NUMPY\x01"));
  const size_t start = 10 + load_integer<uint16_t>(reinterpret_cast<const std::byte*>(file.data()) + 8);
  CHECK(file.substr(10, start - 10).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (64, 1), }"));
  REQUIRE(file.size() == start + 64 * sizeof(float));

  // The same training in this process gives the same predictions, bit for bit.
  const TemporaryFolder folder;
  const auto net = fresh_net();
  toy::Data data;
  Trainer trainer({.enable_checkpointing = false,
                   .enable_model_summary = false,
                   .enable_progress_bar = false,
                   .max_epochs = 4,
                   .run_dir = (folder.path() / "run").string()});
  trainer.fit(*net, data);
  const auto expected = torch::cat(trainer.predict(*net, data).predictions).contiguous();
  CHECK(file.substr(start) == std::string(static_cast<const char*>(expected.data_ptr()), 64 * sizeof(float)));
}

TEST_CASE("stateful_counter goes on counting where the checkpoint was") {
  const ProgramRun run("stateful_counter");
  CHECK(run.printed("started at ") == std::vector<std::string>{"0 batches, ended at 16 batches, 512 samples",
                                                               "16 batches, ended at 32 batches, 1024 samples"});
  CHECK(run.events(Event::kRunResumed).size() == 1);
  CHECK(run.events(Event::kTrainBatchEnded).size() == 32);
}

TEST_CASE("conditional_activation acts from its epoch on, and only while the loss is small enough") {
  const ProgramRun run("conditional_activation");
  const auto losses = run.validation_metric("val_loss");
  REQUIRE(losses.size() == 6);
  std::vector<std::pair<int64_t, double>> expected;
  for (size_t epoch = 1; epoch < losses.size(); ++epoch) {
    if (losses[epoch] < 0.4) {
      expected.emplace_back(epoch, losses[epoch]);
    }
  }
  REQUIRE(!expected.empty());
  CHECK(expected.size() < 5);  // Otherwise the condition would not be seen to matter.
  const auto emitted = run.events(Event::kUserEvent);
  const auto lines = run.printed("good epoch ");
  REQUIRE(emitted.size() == expected.size());
  REQUIRE(lines.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto values = event_values(emitted[i].user_event());
    CHECK(emitted[i].user_event().type() == "good_epoch");
    CHECK(std::get<int64_t>(values.at("epoch")) == expected[i].first);
    CHECK(std::get<double>(values.at("val_loss")) == expected[i].second);
    CHECK(lines[i].starts_with(std::to_string(expected[i].first) + ":"));
  }
}

TEST_CASE("multi_stage_lr trains each stage with its rate") {
  const ProgramRun run("multi_stage_lr");
  CHECK(run.printed("epoch ") ==
        std::vector<std::string>{"0 lr 0.1", "1 lr 0.1", "2 lr 0.1", "3 lr 0.01", "4 lr 0.01", "5 lr 0.001"});
  std::vector<std::pair<uint32_t, double>> commands;
  for (const auto& event : run.events(Event::kCommandApplied)) {
    commands.emplace_back(event.position().epoch(), event.command_applied().command().set_learning_rate().lr());
  }
  CHECK(commands == std::vector<std::pair<uint32_t, double>>{{0, 0.1}, {3, 0.01}, {5, 0.001}});
}

TEST_CASE("lambda_callback prints, keeps the best loss, and stops the run") {
  const ProgramRun run("lambda_callback");
  CHECK(run.printed("parameters ") == std::vector<std::string>{"49"});  // 4 * 8 + 8 + 8 + 1.
  const auto losses = run.validation_metric("val_loss");
  const auto lines = run.printed("epoch ");
  REQUIRE(lines.size() == losses.size());
  REQUIRE(lines.size() > 1);
  double best = 1e9;
  for (size_t epoch = 0; epoch < lines.size(); ++epoch) {
    CHECK(number_after(lines[epoch], "val_loss") == as_printed(losses[epoch]));
    CHECK(lines[epoch].ends_with(" best") == (losses[epoch] < best));
    CHECK((losses[epoch] < 0.25) == (epoch + 1 == lines.size()));
    best = std::min(best, losses[epoch]);
  }
  CHECK(run.printed("stopped by ") == std::vector<std::string>{"good_enough: val_loss is below 0.25"});
}

TEST_CASE("a wrong argument is refused in one line") {
  for (const char* arguments : {"--run_dir x", "--run-dir", "x", "--run-dir ''", "--run-dir a b", "--help"}) {
    const auto result = run_shell(program_path("metrics_logger") + " " + arguments);
    CAPTURE(result.output);
    CHECK(result.status == 2);
    CHECK(result.output.starts_with("metrics_logger: the only argument is --run-dir DIR"));
    CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 1);
  }
}

TEST_CASE("a run directory that holds a run already is refused, and one that cannot be made is an error") {
  const ProgramRun run("metrics_logger");
  const auto again = run_shell(program_path("metrics_logger") + " --run-dir " + run.run_dir().string());
  CHECK(again.status == 2);
  CHECK(again.output.find("holds a run already") != std::string::npos);
  const auto unwritable = run_shell(program_path("metrics_logger") + " --run-dir /proc/run");
  CHECK(unwritable.status == 1);
  CHECK(unwritable.output.find("/proc/run") != std::string::npos);
}
