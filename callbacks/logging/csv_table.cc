#include "troupe/callbacks/logging/csv_table.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string result = "\"";
  for (const char c : text) {
    result += c == '"' ? "\"\"" : std::string(1, c);
  }
  return result + "\"";
}

std::string header_line(const std::vector<std::string>& columns) {
  std::string line;
  for (const auto& column : columns) {
    line += line.empty() ? "" : ",";
    line += quoted(column);
  }
  return line + "\n";
}

/// Takes the first line off `text`, without its end; a line break in quotes does not end it. An unfinished line is
/// dropped.
std::string_view take_line(std::string_view& text) {
  bool in_quotes = false;
  size_t end = 0;
  for (; end < text.size() && (in_quotes || text[end] != '\n'); ++end) {
    in_quotes = in_quotes != (text[end] == '"');
  }
  const std::string_view line = end < text.size() ? text.substr(0, end) : std::string_view();
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// A row of numbers with exactly `count` fields: cut at the right, or filled with empty ones.
std::string with_fields(std::string_view row, size_t count) {
  size_t fields = 1;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] == ',' && ++fields > count) {
      return std::string(row.substr(0, i));
    }
  }
  return std::string(row) + std::string(count - fields, ',');
}

/// Empty where there is no such file.
std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

[[noreturn]] void throw_io_error(const char* attempt, const std::filesystem::path& path, int error) {
  throw IoError(std::string("cannot ") + attempt + " " + path.string() + ": " + std::generic_category().message(error));
}

/// Replaces a file by way of another one beside it, which does not stay.
void replace(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  std::error_code ignored;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) {
    const int reason = errno;
    std::filesystem::remove(temporary, ignored);
    throw_io_error("write", temporary, reason);
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::filesystem::remove(temporary, ignored);
    throw_io_error("replace", path, error.value());
  }
}

/// Whether the file has at least `bytes` bytes and starts with `start`.
bool begins_with(const std::filesystem::path& path, const std::string& start, uint64_t bytes) {
  std::string found(start.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  std::error_code error;
  return file && found == start && std::filesystem::file_size(path, error) >= bytes && !error;
}

}  // namespace

bool CsvTable::open() {
  AppendedFile::check_writable(path());  // Makes the folder.
  const uint64_t rows = extent_.rows;
  if (extent_.bytes > 0 && !begins_with(path(), header_line(extent_.columns), extent_.bytes)) {
    rewrite(rows);
  }
  file_.open(extent_.bytes);
  return extent_.rows == rows;
}

void CsvTable::append(const std::vector<Field>& fields) {
  bool grown = extent_.bytes == 0;
  for (const auto& [column, value] : fields) {
    if (std::find(extent_.columns.begin(), extent_.columns.end(), column) == extent_.columns.end()) {
      extent_.columns.push_back(column);
      grown = true;
    }
  }
  if (grown) {
    rewrite(extent_.rows);
    file_.open(extent_.bytes);
  }
  std::string row;
  for (const auto& column : extent_.columns) {
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.first == column; });
    row += &column == &extent_.columns.front() ? "" : ",";
    row += field == fields.end() ? std::string() : field->second;
  }
  file_.append(row + "\n");
  extent_.bytes = file_.bytes();
  ++extent_.rows;
}

void CsvTable::rewrite(uint64_t rows_max) {
  const std::string before = content_of(path());
  std::string_view rest = before;
  take_line(rest);
  std::string after = header_line(extent_.columns);
  extent_.rows = 0;
  while (extent_.rows < rows_max) {
    const std::string_view row = take_line(rest);
    if (row.empty()) {
      break;
    }
    after += with_fields(row, extent_.columns.size()) + "\n";
    ++extent_.rows;
  }
  replace(path(), after);
  extent_.bytes = after.size();
}

}  // namespace troupe
