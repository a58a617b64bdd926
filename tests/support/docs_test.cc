// What README.md and docs/schedules.md quote is what is compiled, what docs/callbacks.md lists is what there is, and
// every file that a page names is there.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/places.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;

namespace {

const std::filesystem::path kRoot = testing::source_root();

/// Every page that tells of the sources as they are. The changelog tells of what was.
std::vector<std::filesystem::path> pages() {
  std::vector<std::filesystem::path> found;
  for (const char* page : {"README.md", "CONTRIBUTING.md"}) {
    found.push_back(kRoot / page);
  }
  for (const char* folder : {"docs", "runtime", "callbacks", "actors", "deploy", "examples", "tests"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().extension() == ".md") {
        found.push_back(entry.path());
      }
    }
  }
  return found;
}

/// The first group of every match.
std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

/// What a page names and is not there.
std::vector<std::string> missing_files(const std::string& text, const std::filesystem::path& folder) {
  static const std::regex link(R"(\]\(([^)#:]+)(?:#[^)]*)?\))");
  static const std::regex source(
      R"((?:^|[\s`"])((?:proto|runtime|callbacks|actors|deploy|examples|tests|docs|cmake)/[\w./-]+\.(?:h|cc|proto|py|md|sh|cmake|txt|json)\b))");
  static const std::regex header(R"([<"]troupe/((?!v1/)[\w./-]+\.h)[>"])");
  std::vector<std::string> missing;
  const auto require = [&](const std::vector<std::string>& names, const std::filesystem::path& from) {
    for (const auto& name : names) {
      if (!std::filesystem::exists(from / name)) {
        missing.push_back(name);
      }
    }
  };
  require(matches(text, link), folder);
  require(matches(text, source), kRoot);
  require(matches(text, header), kRoot);
  return missing;
}

}  // namespace

TEST_CASE("every file that a page names or links is there") {
  size_t named = 0;
  for (const auto& page : pages()) {
    CAPTURE(page);
    CHECK(missing_files(read_file(page), page.parent_path()) == std::vector<std::string>());
    ++named;
  }
  CHECK(named > 20);
}

TEST_CASE("a file that is not there is found missing, however a page names it") {
  const std::string text =
      "[the loop](runtime/none.cc), `runtime/loop/none.h`,\nactors/none.h\n#include <troupe/none.h>\n"
      "[a page](docs/architecture.md#threads), `runtime/loop/fit_loop.cc`, <troupe/troupe.h>, [out](https://none.md)";
  CHECK(missing_files(text, kRoot) ==
        std::vector<std::string>{"runtime/none.cc", "runtime/loop/none.h", "actors/none.h", "none.h"});
}

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
  const std::string source = read_file(kRoot / "tests/runtime/schedule/schedules_doc_test.cc");
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
