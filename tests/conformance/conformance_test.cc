// Runs every case of cases.json as scripted_run does, in this process, and compares what it prints.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/support/captured_stderr.h"
#include "tests/support/places.h"
#include "tests/support/run_shell.h"
#include "tests/support/scripted_run.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Printed {
  int status;
  std::string output;
  std::string errors;
};

/// Runs one SPEC. A checkpoint is named from the run directory on.
Printed run(json spec, const fs::path& folder) {
  spec["run_dir"] = (folder / "run").string();
  if (const auto resume = spec.value("resume", ""); resume.starts_with("checkpoints/")) {
    spec["resume"] = (folder / "run" / resume).string();
  }
  std::ofstream(folder / "spec.json") << spec.dump();
  std::ostringstream printed;
  const troupe::testing::CapturedStderr warnings;
  std::ostringstream errors;
  const int status = troupe::testing::scripted_run((folder / "spec.json").string(), printed, errors);
  return {status, printed.str(), warnings.text() + errors.str()};
}

void check_error(const json& test, const std::string& error) {
  CHECK(error.find(test.at("error_contains").get<std::string>()) != std::string::npos);
  CHECK(std::count(error.begin(), error.end(), '\n') <= 1);
}

/// Every number within a relative error that float32 arithmetic stays below.
void check_near(const json& near, const json& result) {
  for (const auto& [name, value] : near.items()) {
    const std::string& key = name;
    CAPTURE(key);
    REQUIRE(result.contains(key));
    CHECK(result.at(key).get<double>() == doctest::Approx(value.get<double>()).epsilon(1e-5));
  }
}

/// "before": a run in the same directory; "expect": what must be equal; "near": numbers that must be almost; "stderr":
/// what standard error must hold, nothing for ""; "trace_ends": the last hooks.
void check(const json& test, const json& spec) {
  const troupe::TemporaryFolder folder;
  if (test.contains("before")) {
    REQUIRE(run(test.at("before"), folder.path()).status == 0);
  }
  const auto [status, output, errors] = run(spec, folder.path());
  const std::string& printed = output;  // Clang 14 does not capture structured bindings.
  const std::string& said = errors;
  CAPTURE(said);
  CAPTURE(printed);
  CHECK(status == test.value("exit", 0));
  const json result = output.empty() ? json::object() : json::parse(output);
  const json expected = test.value("expect", json::object());
  for (const auto& [name, value] : expected.items()) {
    const std::string& key = name;
    CAPTURE(key);
    REQUIRE(result.contains(key));
    CHECK(result.at(key) == value);
  }
  check_near(test.value("near", json::object()), result);
  if (test.contains("stderr")) {
    const auto wanted = test.at("stderr").get<std::string>();
    CHECK((wanted.empty() ? errors.empty() : errors.find(wanted) != std::string::npos));
  }
  if (const auto ends = test.value("trace_ends", json::array()); !ends.empty()) {
    const auto& trace = result.at("trace");
    REQUIRE(trace.size() >= ends.size());
    CHECK(std::equal(ends.begin(), ends.end(), trace.end() - static_cast<std::ptrdiff_t>(ends.size())));
  }
  if (test.contains("error_contains")) {
    check_error(test, result.contains("error") ? result.at("error").get<std::string>() : errors);
  }
}

/// "for_each": the case once for each value of one key of the SPEC.
void check_each(const json& test) {
  if (!test.contains("for_each")) {
    check(test, test.at("spec"));
    return;
  }
  const auto key = test.at("for_each").begin().key();
  for (const auto& value : test.at("for_each").begin().value()) {
    const std::string text = value.dump();
    CAPTURE(text);
    json spec = test.at("spec");
    spec[key] = value;
    check(test, spec);
  }
}

}  // namespace

TEST_CASE("scripted runs end as Lightning's rules say") {
  const json cases = json::parse(read(troupe::testing::source_root() / "tests/conformance/cases.json"));
  REQUIRE(cases.size() > 20);
  for (const auto& test : cases) {
    const auto name = test.at("case").get<std::string>();
    CAPTURE(name);
    check_each(test);
  }
}

TEST_CASE("the program scripted_run prints what its function does") {
  const troupe::TemporaryFolder folder;
  const auto spec_file = (folder.path() / "spec.json").string();
  const auto printed_by = [&](const json& spec) {
    std::ofstream(spec_file) << spec.dump();
    return troupe::run_shell(troupe::testing::program("scripted_run") + " " + spec_file);
  };
  const json spec = {{"trainer", {{"max_epochs", 1}}}, {"train_batches", 2}};
  const auto program = printed_by(spec);
  CHECK(program.status == 0);
  CHECK(json::parse(program.output) == json::parse(run(spec, folder.path()).output));
  CHECK(printed_by({{"no_such_key", 1}}).status == 2);
}
