// What the documentation quotes and lists is what the sources say.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "runtime/event.h"
#include "runtime/file.h"

using namespace troupe;

namespace {

const std::filesystem::path kRoot = TROUPE_SOURCE_DIR;

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::istringstream text(row);
  std::string cell;
  std::getline(text, cell, '|');
  while (std::getline(text, cell, '|')) {
    const auto first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
  }
  return cells;
}

}  // namespace

TEST_CASE("docs/events.md has a row for every event, with the hook and the marks of the schema") {
  std::set<std::string> documented;
  std::istringstream lines(read_file(kRoot / "docs/events.md"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ")) {
      continue;
    }
    const auto cells = cells_of(line);
    const auto* info = find_event_info(cells.at(0));
    if (info == nullptr) {
      CHECK((cells[0] == "event" || cells[0] == "---"));
      continue;
    }
    CAPTURE(info->name);
    CHECK(documented.insert(info->name).second);
    CHECK(cells.at(1) == info->hook);
    CHECK(cells.at(2) == (info->transient ? "transient" : "recorded"));
    CHECK(cells.at(3) == (info->environmental ? "yes" : ""));
  }
  CHECK(documented.size() == all_event_infos().size());
}

TEST_CASE("README.md quotes the quickstart as it is compiled") {
  const std::string readme = read_file(kRoot / "README.md");
  const std::string begin = "<!-- begin examples/quickstart/main.cc -->\n```cpp\n";
  const auto start = readme.find(begin);
  REQUIRE(start != std::string::npos);
  const auto end = readme.find("```\n<!-- end examples/quickstart/main.cc -->", start);
  REQUIRE(end != std::string::npos);
  CHECK(readme.substr(start + begin.size(), end - start - begin.size()) == read_file(kRoot / "examples/quickstart/main.cc"));
}
