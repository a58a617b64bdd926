// Runs every case of cases.json through scripted_run and compares what it prints.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/temporary_folder.h"

namespace {

using nlohmann::json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void check(const json& test) {
  const troupe::TemporaryFolder folder;
  json spec = test.at("spec");
  spec["run_dir"] = (folder.path() / "run").string();
  std::ofstream(folder.path() / "spec.json") << spec.dump();
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  const std::string command =
      std::string(SCRIPTED_RUN) + " " + file("spec.json") + " > " + file("output") + " 2> " + file("errors");
  const int status = WEXITSTATUS(std::system(command.c_str()));  // NOLINT(cert-env33-c)
  const std::string output = read(file("output"));
  const std::string errors = read(file("errors"));
  CAPTURE(errors);
  CAPTURE(output);
  CHECK(status == test.value("exit", 0));
  const json result = output.empty() ? json::object() : json::parse(output);
  const json expected = test.value("expect", json::object());
  for (const auto& [key, value] : expected.items()) {
    CAPTURE(key);
    REQUIRE(result.contains(key));
    CHECK(result.at(key) == value);
  }
  if (test.contains("error_contains")) {
    const std::string error = result.contains("error") ? result.at("error").get<std::string>() : errors;
    CHECK(error.find(test.at("error_contains").get<std::string>()) != std::string::npos);
    CHECK(std::count(error.begin(), error.end(), '\n') <= 1);
  }
}

}  // namespace

TEST_CASE("scripted runs end as Lightning's rules say") {
  const json cases = json::parse(read(CONFORMANCE_CASES));
  REQUIRE(cases.size() > 20);
  for (const auto& test : cases) {
    const auto name = test.at("case").get<std::string>();
    CAPTURE(name);
    check(test);
  }
}
