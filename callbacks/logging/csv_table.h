#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "troupe/callbacks/logging/appended_file.h"

namespace troupe {

/// A CSV file (quoting of RFC 4180, lines end in "\n") that grows by rows, and by columns when a row brings a new one:
/// then the file is rewritten, with the new column at the right. Every row is in the file when append() returns. Values
/// must not need quoting: they are numbers. Methods throw IoError.
class CsvTable {
 public:
  using Field = std::pair<std::string, std::string>;  ///< Column and value.

  /// Where the table stands: what it takes to cut a file back to this point.
  struct Extent {
    uint64_t bytes = 0;
    uint64_t rows = 0;
    std::vector<std::string> columns = {};
  };

  /// Touches no file yet.
  CsvTable(std::filesystem::path path, Extent extent) : file_(std::move(path)), extent_(std::move(extent)) {}

  /// Makes the folder and the file, and cuts the file back to the extent: what came later is dropped, columns too.
  /// False when rows are missing from it; then the extent is what there is.
  bool open();
  bool is_open() const { return file_.is_open(); }
  void append(const std::vector<Field>& fields);
  /// Makes what was appended durable.
  void sync() const { file_.sync(); }

  const std::filesystem::path& path() const { return file_.path(); }
  const Extent& extent() const { return extent_; }

 private:
  /// Replaces the file by its first `rows_max` rows with exactly the extent's columns.
  void rewrite(uint64_t rows_max);

  AppendedFile file_;
  Extent extent_;
};

}  // namespace troupe
