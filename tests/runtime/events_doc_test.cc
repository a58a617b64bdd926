// docs/events.md has a table of every event; here it is held to the schema.
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>

#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/event.h"

using namespace troupe;

namespace {

constexpr size_t kColumns = 7;  // event, hook, kind, environmental, emitted, fields, RunState.

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// The cells of "| a | b | |": "a", "b", "".
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  line.remove_prefix(1);
  for (size_t bar = line.find('|'); bar != std::string_view::npos; bar = line.find('|')) {
    cells.emplace_back(trim(line.substr(0, bar)));
    line.remove_prefix(bar + 1);
  }
  return cells;
}

/// The rows between the table's marks, without its head.
std::vector<std::vector<std::string>> read_table() {
  std::vector<std::vector<std::string>> rows;
  std::ifstream page(TROUPE_SOURCE_DIR "/docs/events.md");
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("<!-- event table") || line.starts_with("<!-- end of the event table")) {
      inside = line.starts_with("<!-- event table");
    } else if (inside && line.starts_with("| ") && !line.starts_with("| event ") && !line.starts_with("| ---")) {
      rows.push_back(cells_of(line));
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("docs/events.md has one row for every event of the schema, with its hook and its kind") {
  std::map<std::string, int> rows_of;
  const auto rows = read_table();
  for (const auto& row : rows) {
    REQUIRE(row.size() == kColumns);
    const std::string& name = row[0];
    CAPTURE(name);
    ++rows_of[name];
    const EventInfo* info = find_event_info(name);
    REQUIRE(info != nullptr);
    CHECK(row[1] == info->hook);
    CHECK(row[2] == (info->transient ? "transient" : "recorded"));
    CHECK(row[3] == (info->environmental ? "yes" : ""));
    CHECK(!row[4].empty());
  }
  for (const auto& info : all_event_infos()) {
    CAPTURE(info.name);
    CHECK(rows_of[info.name] == 1);
  }
}

TEST_CASE("the table says of every field of an event that it is there") {
  for (const auto& row : read_table()) {
    REQUIRE(row.size() == kColumns);
    CAPTURE(row[0]);
    const EventInfo* info = find_event_info(row[0]);
    REQUIRE(info != nullptr);
    const auto* message = v1::Event::descriptor()->FindFieldByNumber(info->type)->message_type();
    const bool as_another = row[5].find("as there") != std::string::npos;
    for (int i = 0; i < message->field_count() && !as_another; ++i) {
      const std::string& field = message->field(i)->name();
      CAPTURE(field);
      CHECK(row[5].find(field) != std::string::npos);
    }
  }
}
