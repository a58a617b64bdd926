// The digits program and the tool `troupe`, as a user runs them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/support/places.h"
#include "tests/support/run_shell.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

ShellResult digits(const std::string& arguments) {
  return run_shell(testing::program("digits") + " " + arguments);
}

ShellResult tool(const std::string& arguments) {
  return run_shell(testing::program("troupe") + " " + arguments);
}

/// The number after `name` at the start of a line.
double figure(const std::string& output, const std::string& name) {
  const auto place = ("\n" + output).find("\n" + name + " ");
  REQUIRE(place != std::string::npos);
  return std::stod(output.substr(place + name.size() + 1));
}

void check_refused(const ShellResult& result, int status, const std::string& part) {
  CAPTURE(result.output);
  CHECK(result.status == status);
  CHECK(result.output.find(part) != std::string::npos);
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 1);
}

/// Trains with weights, order and split of this seed, and tests the best checkpoint, twice.
double accuracy_of(const std::string& run, const std::string& seed) {
  const auto fitted = digits("fit --run-dir " + run + " --trainer.seed " + seed + " --data.split_seed " + seed);
  CAPTURE(fitted.output);
  REQUIRE(fitted.status == 0);
  const std::string test = "test --run-dir " + run + " --resume best 2> /dev/null";
  const double accuracy = figure(digits(test).output, "test_acc");
  CHECK(figure(digits(test).output, "test_acc") == accuracy);
  return accuracy;
}

}  // namespace

TEST_CASE("five seeds reach a median test accuracy of 97 %, and the best checkpoint gives the same figure again") {
  const TemporaryFolder folder;
  std::vector<double> accuracies;
  for (const char* seed : {"1", "2", "3", "4", "5"}) {
    accuracies.push_back(accuracy_of((folder.path() / seed).string(), seed));
  }
  std::sort(accuracies.begin(), accuracies.end());
  CAPTURE(accuracies[0]);
  CHECK(accuracies[2] >= 0.97);
}

TEST_CASE("a fit interrupted by SIGTERM exits with 143 and goes on to the same metrics") {
  const TemporaryFolder folder;
  const std::string whole = (folder.path() / "whole").string();
  const std::string broken = (folder.path() / "broken").string();
  const std::string options = " --trainer.max_epochs 4 ";
  REQUIRE(digits("fit" + options + "--run-dir " + whole).status == 0);
  // Stops when the first checkpoint is there, wherever training is by then.
  const auto stopped =
      run_shell(testing::program("digits") + " fit" + options + "--run-dir " + broken +
                " > /dev/null 2>&1 & pid=$!; while [ ! -e " + broken +
                "/checkpoints/last.ckpt ] && kill -0 $pid 2> /dev/null; do :; done; kill -TERM $pid; wait $pid");
  CHECK(stopped.status == 143);
  CHECK(fs::exists(fs::path(broken) / "checkpoints" / "interrupted.ckpt"));
  CHECK(digits("fit --resume " + broken).status == 0);
  CHECK(run_shell("cmp " + whole + "/metrics.csv " + broken + "/metrics.csv").output.empty());
  CHECK(tool("log verify " + broken).status == 0);
  const auto replayed = tool("replay " + broken);
  CAPTURE(replayed.output);
  CHECK(replayed.status == 0);
  CHECK(replayed.output.find(" 0 diverged, ") != std::string::npos);
  CHECK(tool("log diff " + whole + " " + broken).status == 0);
}

TEST_CASE("the log of a fit is one JSON event a line from seq 1, and the state is there for every epoch") {
  const TemporaryFolder folder;
  const std::string run = (folder.path() / "run").string();
  REQUIRE(digits("fit --trainer.max_epochs 3 --run-dir " + run).status == 0);
  const auto shown = tool("log show " + run + " --json");
  CHECK(shown.output.starts_with("{\"seq\":\"1\","));
  CHECK(tool("log show " + run + " --json | head -n 1").status == 0);
  CHECK(tool("state " + run + " --at epoch=2").output.find("\"epochs_completed\": 3") != std::string::npos);
  CHECK(tool("state " + run + " --at epoch=3").status == 1);
  CHECK(tool("checkpoint verify " + run + "/checkpoints/last.ckpt").status == 0);
}

TEST_CASE("a fit is forked into a run of its own, with other options, and what it left stays as it was") {
  const TemporaryFolder folder;
  const std::string first = (folder.path() / "first").string();
  const std::string second = (folder.path() / "second").string();
  REQUIRE(digits("fit --trainer.max_epochs 2 --run-dir " + first).status == 0);
  const std::string before = tool("log show " + first).output;
  REQUIRE(digits("fit --resume " + first + " --fork --trainer.max_epochs 3 --run-dir " + second).status == 0);
  CHECK(tool("log show " + first).output == before);
  CHECK(tool("state " + second).output.find("\"epochs_completed\": 3") != std::string::npos);
  CHECK(tool("log verify " + second).status == 0);
  check_refused(digits("fit --resume " + first + " --fork --run-dir " + second), 2, "holds a run already");
  check_refused(digits("fit --fork --run-dir " + (folder.path() / "third").string()), 2, "--resume");
}

TEST_CASE("the commands of docs/replay.md run, and the fit that they make replays") {
  const TemporaryFolder folder;
  const std::string page = read_file(testing::source_root() / "docs" / "replay.md");
  const std::string begin = "```sh\n";
  const auto start = page.find(begin) + begin.size();
  std::istringstream commands(page.substr(start, page.find("```", start) - start));
  std::vector<std::string> printed;
  for (std::string line; std::getline(commands, line);) {
    CAPTURE(line);
    const std::string folder_of_page = "build/release/bin";
    REQUIRE(line.starts_with(folder_of_page));
    const auto result = run_shell("cd " + folder.path().string() + " && " + testing::program_dir().string() +
                                  line.substr(folder_of_page.size()));
    CAPTURE(result.output);
    CHECK(result.status == 0);
    printed.push_back(result.output);
  }
  REQUIRE(printed.size() == 3);
  CHECK(printed[1].find(" 0 diverged, ") != std::string::npos);
  CHECK(printed[1].find("not replayed") == std::string::npos);
  CHECK(printed[2].ends_with("equal\n"));
  const std::string run = (folder.path() / "R").string();
  CHECK(tool("replay " + run).output == printed[1]);
  CHECK(tool("replay " + run + " --json").output.find("\"first_divergence\":null") != std::string::npos);
}

TEST_CASE("wrong input is refused in one line that says what is allowed") {
  const TemporaryFolder folder;
  const std::string run = "fit --run-dir " + (folder.path() / "run").string() + " ";
  check_refused(digits(run + "--trainer.max_epoch 3"), 2, "max_epochs");
  check_refused(digits(run + "--trainer.max_epochs 3.5"), 2, "integer");
  check_refused(digits(run + "--model.dropout 1.5"), 2, "dropout");
  const std::string begun = (folder.path() / "begun").string();
  check_refused(digits("fit --run-dir " + begun + " --data.path /no/such/file"), 1, "/no/such/file");
  CHECK(tool("log show --type ExceptionRaised " + begun).output.find("/no/such/file") != std::string::npos);
  check_refused(digits("fit --resume " + folder.path().string() + "/nothing"), 2, "no such file");
  check_refused(digits("fit --run-dir /proc/run"), 1, "/proc/run");
  const fs::path callbacks = folder.path() / "callbacks.json";
  std::ofstream(callbacks) << R"([{"type": "EarlyStopping", "monitor": "val_loss", "patience": -1}])";
  check_refused(digits(run + "--callbacks " + callbacks.string()), 2, "patience");
  CHECK_FALSE(fs::exists(folder.path() / "run"));
}
