#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace troupe::testing {

// Where things lie, found when a test runs. Compiled in, these paths would make every clone compile the tests anew.

/// The folder of the programs: build/<preset>/bin.
inline std::filesystem::path program_dir() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

/// The path of a program that was built beside this one.
inline std::string program(const std::string& name) {
  return (program_dir() / name).string();
}

/// The root of the sources that the build was made from, which CMake notes down in the build folder.
inline std::filesystem::path source_root() {
  const auto note = program_dir().parent_path() / "source_root";
  std::ifstream file(note);
  std::string root;
  if (!std::getline(file, root)) {
    throw std::runtime_error("cannot read " + note.string() + ": configure the build");
  }
  return root;
}

inline std::filesystem::path golden_dir() {
  return source_root() / "tests" / "golden";
}

}  // namespace troupe::testing
