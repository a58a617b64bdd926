// What README.md and docs/schedules.md quote is what is compiled, and what docs/callbacks.md lists is what there is.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "runtime/file.h"

using namespace troupe;

namespace {

const std::filesystem::path kRoot = TROUPE_SOURCE_DIR;

}  // namespace

TEST_CASE("README.md quotes the quickstart as it is compiled") {
  const std::string readme = read_file(kRoot / "README.md");
  const std::string begin = "<!-- begin examples/quickstart/main.cc -->\n```cpp\n";
  const auto start = readme.find(begin);
  REQUIRE(start != std::string::npos);
  const auto end = readme.find("```\n<!-- end examples/quickstart/main.cc -->", start);
  REQUIRE(end != std::string::npos);
  CHECK(readme.substr(start + begin.size(), end - start - begin.size()) ==
        read_file(kRoot / "examples/quickstart/main.cc"));
}

TEST_CASE("docs/callbacks.md lists every program of examples/callbacks, which says how it is run and is short") {
  const std::string docs = read_file(kRoot / "docs/callbacks.md");
  int programs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "examples/callbacks")) {
    const std::string name = entry.path().stem().string();
    const std::string text = read_file(entry.path());
    if (text.find("int main(") != std::string::npos) {
      CAPTURE(name);
      CHECK(docs.find("\n| " + name + " | ") != std::string::npos);
      CHECK(docs.find("| `build/release/bin/" + name + "` |\n") != std::string::npos);
      CHECK(text.find("\n//   build/release/bin/" + name + "\n") != std::string::npos);
      CHECK(std::count(text.begin(), text.end(), '\n') < 100);
      ++programs;
    }
  }
  CHECK(programs == 10);
}

TEST_CASE("docs/schedules.md quotes examples as they are compiled") {
  const std::string docs = read_file(kRoot / "docs/schedules.md");
  const std::string source = read_file(kRoot / "tests/runtime/schedules_doc_test.cc");
  const std::string begin = "```cpp\n";
  int examples = 0;
  for (auto start = docs.find(begin); start != std::string::npos; start = docs.find(begin, start)) {
    start += begin.size();
    const auto end = docs.find("```", start);
    REQUIRE(end != std::string::npos);
    const std::string example = docs.substr(start, end - start);
    CAPTURE(example);
    CHECK(source.find(example) != std::string::npos);
    ++examples;
  }
  CHECK(examples == 3);
}
