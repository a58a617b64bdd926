// The command line of a training program, in this process.
#include "troupe/deploy/run.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/captured_stderr.h"
#include "tests/support/contains.h"
#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_module.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/deploy/experiment.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

/// A program that trains a tiny module in a folder of its own.
struct TinyProgram {
  TemporaryFolder folder;
  fs::path run_dir = folder.path() / "run";
  Experiment experiment{"tiny", "Trains next to nothing."};
  std::function<void(int64_t batch_index)> in_training_step;
  std::string errors;
  std::string output;

  TinyProgram() {
    experiment.trainer.max_epochs = 1;
    experiment.trainer.enable_progress_bar = false;
    experiment.trainer.enable_model_summary = false;
    experiment.module = [this] {
      auto module = std::make_shared<TinyModule>();
      module->in_training_step = in_training_step;
      return module;
    };
    experiment.data = [] { return std::make_shared<TinyData>(); };
  }

  /// The exit status; what it said is in `errors`.
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "tiny");
    if (arguments[1] != "callbacks") {
      arguments.insert(arguments.end(), {"--run-dir", run_dir.string()});
    }
    std::vector<char*> pointers;
    for (auto& argument : arguments) {
      pointers.push_back(argument.data());
    }
    const troupe::testing::CapturedStderr captured;
    std::ostringstream printed;
    std::streambuf* const before = std::cout.rdbuf(printed.rdbuf());
    const int status = troupe::run(static_cast<int>(pointers.size()), pointers.data(), experiment);
    std::cout.rdbuf(before);
    errors = captured.text();
    output = printed.str();
    return status;
  }

  std::string last_line() const {
    const std::string lines = errors.substr(0, errors.size() - 1);
    return lines.substr(lines.rfind('\n') + 1);
  }
};

}  // namespace

TEST_CASE_FIXTURE(TinyProgram, "a run that is done exits with 0 and says by what it ended") {
  CHECK(run({"fit"}) == 0);
  CHECK(last_line().starts_with("done: "));
}

TEST_CASE_FIXTURE(TinyProgram,
                  "a run whose newest checkpoint was not written exits with 1, and its last line says so") {
  const fs::path away = folder.path() / "away";
  experiment.add_callback("ModelCheckpoint", ModelCheckpointOptions{.dirpath = away.string()});
  in_training_step = [&](int64_t) {
    fs::remove_all(away);
    overwrite_file(away, "no folder any more");
  };
  CHECK(run({"fit"}) == 1);
  CHECK(last_line().starts_with("done, but not all was kept: "));
  CHECK(contains(last_line(), "; checkpoint " + away.string() + "/epoch=0-step=4.ckpt was not written: "));
}

TEST_CASE_FIXTURE(TinyProgram, "a folder for checkpoints that cannot be made ends the program at once") {
  overwrite_file(folder.path() / "file", "no folder");
  experiment.add_callback("ModelCheckpoint", ModelCheckpointOptions{.dirpath = (folder.path() / "file").string()});
  in_training_step = [](int64_t) { FAIL("a step was made"); };
  CHECK(run({"fit"}) == 1);
  CHECK(contains(errors,
                 "tiny fit failed: ModelCheckpoint: cannot save in 'dirpath' " + (folder.path() / "file").string()));
  CHECK(std::count(errors.begin(), errors.end(), '\n') == 1);
}

TEST_CASE("callbacks lists what a file may name, with options, defaults and what is allowed") {
  TinyProgram program;
  CHECK(program.run({"callbacks", "EarlyStopping", "CSVLogger"}) == 0);
  CHECK(program.output.starts_with("EarlyStopping\n  monitor "));
  CHECK(contains(program.output, "text required"));
  CHECK(contains(program.output, "int = 3"));
  CHECK(contains(program.output, "Checks without improvement before the vote; counts checks, not epochs.\n"));
  CHECK(contains(program.output, "\n\nCSVLogger\n  path "));

  CHECK(program.run({"callbacks"}) == 0);
  for (const auto& type : program.experiment.registry.types()) {
    CHECK(contains(program.output, type + "\n"));
  }
  CHECK(program.run({"callbacks", "--json"}) == 0);
  const auto described = nlohmann::json::parse(program.output);
  REQUIRE(described.size() == program.experiment.registry.types().size());
  const auto found =
      std::find_if(described.begin(), described.end(), [](const auto& one) { return one["type"] == "EarlyStopping"; });
  REQUIRE(found != described.end());
  CHECK((*found)["options"][0]["required"] == true);

  CHECK(program.run({"callbacks", "EarlyStoping"}) == 2);
  CHECK(
      contains(program.errors, "tiny callbacks: unknown callback type 'EarlyStoping' (did you mean 'EarlyStopping'?)"));
  CHECK(program.output.empty());
}
