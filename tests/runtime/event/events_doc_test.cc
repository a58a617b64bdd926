// docs/events.md has a table of every event; here it is held to the schema.
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/places.h"
#include "troupe/runtime/event/event.h"

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

/// The rows of the table of every event, or of every message ("message"), without its head.
std::vector<std::vector<std::string>> read_table(const std::string& of = "event") {
  std::vector<std::vector<std::string>> rows;
  std::ifstream page(testing::source_root() / "docs/events.md");
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("<!-- ")) {
      inside = line.starts_with("<!-- " + of + " table");
    } else if (inside && line.starts_with("| ") && !line.starts_with("| " + of + " ") && !line.starts_with("| ---")) {
      rows.push_back(cells_of(line));
    }
  }
  return rows;
}

/// The words of a cell: what is left between anything that cannot be in a name.
std::set<std::string> words_of(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char letter) { return std::isalnum(letter) == 0 && letter != '_'; }, ' ');
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

void check_fields(const google::protobuf::Descriptor& message, const std::string& cell) {
  const auto words = words_of(cell);
  for (int i = 0; i < message.field_count(); ++i) {
    const std::string& field = message.field(i)->name();
    CAPTURE(field);
    CHECK(words.contains(field));
  }
}

/// Adds the messages that this one holds, and those that they hold, but for events.
void add_held(const google::protobuf::Descriptor& message,
              std::map<std::string, const google::protobuf::Descriptor*>& held) {
  for (int i = 0; i < message.field_count(); ++i) {
    const auto* inner = message.field(i)->message_type();
    const bool is_new = inner != nullptr && !held.contains(inner->name());
    if (is_new && (find_event_info(inner->name()) == nullptr || inner->name() == "UserEvent")) {
      held[inner->name()] = inner;
      add_held(*inner, held);
    }
  }
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
    if (!as_another) {
      check_fields(*message, row[5]);
    }
  }
}

TEST_CASE("docs/events.md says of every message that an event holds which fields it has") {
  std::map<std::string, const google::protobuf::Descriptor*> held;
  for (const auto& info : all_event_infos()) {
    add_held(*v1::Event::descriptor()->FindFieldByNumber(info.type)->message_type(), held);
  }
  CHECK(held.contains("CallbackHealth"));
  CHECK(held.contains("NamedValue"));  // In a UserEvent, in a Command.
  std::map<std::string, int> rows_of;
  for (const auto& row : read_table("message")) {
    REQUIRE(row.size() == 3);
    for (const auto& name : words_of(row[0])) {
      CAPTURE(name);
      ++rows_of[name];
      REQUIRE(held.contains(name));
      check_fields(*held.at(name), row[2]);
    }
  }
  for (const auto& [name, message] : held) {
    const std::string& missing = name;
    CAPTURE(missing);
    CHECK(rows_of[missing] == 1);
  }
}
