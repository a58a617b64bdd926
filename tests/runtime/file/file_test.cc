#include "troupe/runtime/file/file.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
namespace fs = std::filesystem;

TEST_CASE("a file is replaced as a whole, and nothing is left beside it") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  write_file_atomically(path, "first");
  write_file_atomically(path, "2nd");
  CHECK(read_file(path) == "2nd");
  CHECK_FALSE(fs::exists(temporary_name(path)));
}

TEST_CASE("a link that lies where a file is written first is not followed") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  const fs::path other = folder.path() / "other.txt";
  write_file_atomically(other, "precious");
  fs::create_symlink(other, temporary_name(path));
  write_file_atomically(path, "content");
  CHECK(read_file(other) == "precious");
  CHECK(read_file(path) == "content");
  CHECK_FALSE(fs::is_symlink(path));
}

TEST_CASE("a file that cannot be replaced keeps its content, and the error names it") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "folder";
  fs::create_directories(path / "in_it");
  CHECK_THROWS_AS(write_file_atomically(path, "content"), IoError);
  CHECK(fs::is_directory(path / "in_it"));
  CHECK_FALSE(fs::exists(temporary_name(path)));
}

TEST_CASE("a folder is writable, or the error says what keeps it from being made") {
  const TemporaryFolder folder;
  require_writable_folder(folder.path() / "a" / "b");
  CHECK(fs::is_empty(folder.path() / "a" / "b"));
  write_file_atomically(folder.path() / "file", "content");
  for (const fs::path& refused :
       {folder.path() / "file", folder.path() / "file" / "b", folder.path() / std::string(300, 'x')}) {
    CHECK_THROWS_WITH_AS(require_writable_folder(refused),
                         doctest::Contains(("cannot create folder " + refused.string()).c_str()), IoError);
  }
}
