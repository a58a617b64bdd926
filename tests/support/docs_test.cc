// What pages quote is what is compiled, what docs/callbacks.md lists is what there is, and every file that a page names
// is there.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/places.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;

namespace {

// begin root
const std::filesystem::path kRoot = testing::source_root();
// end root

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

/// What a page quotes between "<!-- begin WHAT -->" and "<!-- end WHAT -->": a block of code, which is all of a file,
/// or FILE#PART, what the file has between "// begin PART" and "// end PART", or the same after a "#".
struct Quotation {
  std::string what;
  std::optional<std::string> code;  ///< None where no block of code and the end follow.
};

std::vector<Quotation> quotations(const std::string& text) {
  std::vector<Quotation> found;
  for (const auto& what : matches(text, std::regex("(?:^|\\n)<!-- begin (.+) -->"))) {
    auto& quotation = found.emplace_back(Quotation{what, std::nullopt});
    const std::string begin = "<!-- begin " + what + " -->\n```";
    const auto start = text.find(begin);
    const auto end =
        text.find("```\n<!-- end " + what + " -->", start == std::string::npos ? start : start + begin.size());
    if (start != std::string::npos && end != std::string::npos) {
      const auto code = text.find('\n', start + begin.size()) + 1;  // Behind the language.
      quotation.code = text.substr(code, end - code);
    }
  }
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream rest(text);
  for (std::string line; std::getline(rest, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The lines of a part without the markers, and without the indentation that all of them have.
std::optional<std::string> part_of(const std::string& text, const std::string& part) {
  static const std::regex marker(R"(\s*(//|#) (begin|end) (.+))");
  std::vector<std::string> lines;
  bool inside = false;
  bool complete = false;
  for (const auto& line : lines_of(text)) {
    if (std::smatch match; std::regex_match(line, match, marker)) {
      inside = match[3] == part ? match[2] == "begin" : inside;
      complete = complete || (match[3] == part && !inside);
    } else if (inside) {
      lines.push_back(line);
    }
  }
  size_t indentation = std::string::npos;
  for (const auto& line : lines) {
    indentation = line.empty() ? indentation : std::min(indentation, line.find_first_not_of(' '));
  }
  std::string joined;
  for (const auto& line : lines) {
    joined.append(line.empty() ? line : line.substr(indentation)).append("\n");
  }
  return complete ? std::optional(joined) : std::nullopt;
}

/// What is wrong with one of them; empty if nothing is.
std::string error_of(const Quotation& quotation) {
  const auto hash = quotation.what.find('#');
  const std::filesystem::path file = kRoot / quotation.what.substr(0, hash);
  if (!std::filesystem::is_regular_file(file)) {
    return "there is no such file";
  }
  if (!quotation.code) {
    return "has no end, or is no block of code";
  }
  const std::string text = read_file(file);
  const auto source = hash == std::string::npos ? std::optional(text) : part_of(text, quotation.what.substr(hash + 1));
  return !source ? "there is no such part" : *source != *quotation.code ? "differs" : "";
}

std::vector<std::string> wrong_quotations(const std::vector<Quotation>& found) {
  std::vector<std::string> wrong;
  for (const auto& quotation : found) {
    if (const std::string error = error_of(quotation); !error.empty()) {
      wrong.push_back(quotation.what + ": " + error);
    }
  }
  return wrong;
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

TEST_CASE("every page that a comment in the code names is there") {
  static const std::regex page(R"((\bdocs/[\w./-]+\.md)\b)");
  size_t named = 0;
  for (const char* folder : {"proto", "runtime", "callbacks", "actors", "deploy", "examples", "tests", "cmake"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / folder)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".md" || entry.path().extension() == ".gz") {
        continue;
      }
      CAPTURE(entry.path());
      for (const auto& name : matches(read_file(entry.path()), page)) {
        CHECK_MESSAGE(std::filesystem::exists(kRoot / name), name);
        ++named;
      }
    }
  }
  CHECK(named > 5);
}

TEST_CASE("a file that is not there is found missing, however a page names it") {
  const std::string text =
      "[the loop](runtime/none.cc), `runtime/loop/none.h`,\nactors/none.h\n#include <troupe/none.h>\n"
      "[a page](docs/architecture.md#threads), `runtime/loop/fit_loop.cc`, <troupe/troupe.h>, [out](https://none.md)";
  CHECK(missing_files(text, kRoot) ==
        std::vector<std::string>{"runtime/none.cc", "runtime/loop/none.h", "actors/none.h", "none.h"});
}

TEST_CASE("what a page quotes is what the file has that it names") {
  std::vector<std::string> quoted;
  for (const auto& page : pages()) {
    CAPTURE(page);
    const auto found = quotations(read_file(page));
    CHECK(wrong_quotations(found) == std::vector<std::string>());
    for (const auto& quotation : found) {
      quoted.push_back(quotation.what);
    }
  }
  const auto quotes = [&](const char* what) { return std::find(quoted.begin(), quoted.end(), what) != quoted.end(); };
  CHECK(quotes("examples/quickstart/main.cc"));
  CHECK(quotes("examples/starter/main.cc#main"));
  CHECK(quotes("tests/runtime/schedule/schedules_doc_test.cc#one cycle"));
}

TEST_CASE("all code of README.md, docs/getting_started.md and docs/schedules.md is quoted") {
  for (const char* page : {"README.md", "docs/getting_started.md", "docs/schedules.md"}) {
    CAPTURE(page);
    const std::string text = read_file(kRoot / page);
    const auto code = matches(text, std::regex("```(cpp|cmake)\n"));
    CHECK(code.size() > 0);
    CHECK(code.size() == quotations(text).size());
  }
}

TEST_CASE("a quotation that differs, of what is not there, or without an end is found") {
  const std::string file = "tests/support/docs_test.cc";
  const auto wrong = [](const std::string& what, const std::string& code) {
    return wrong_quotations(
        quotations("<!-- begin " + what + " -->\n```cpp\n" + code + "```\n<!-- end " + what + " -->\n"));
  };
  CHECK(wrong(file + "#root", "const std::filesystem::path kRoot = testing::source_root();\n").empty());
  CHECK(wrong(file + "#root", "const std::filesystem::path kRoot;\n") ==
        std::vector<std::string>{file + "#root: differs"});
  CHECK(wrong(file, "") == std::vector<std::string>{file + ": differs"});
  CHECK(wrong(file + "#none", "") == std::vector<std::string>{file + "#none: there is no such part"});
  CHECK(wrong("docs/none.cc", "") == std::vector<std::string>{"docs/none.cc: there is no such file"});
  CHECK(wrong_quotations(quotations("<!-- begin " + file + " -->\n```cpp\n```\n")) ==
        std::vector<std::string>{file + ": has no end, or is no block of code"});
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
