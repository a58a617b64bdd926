// What README.md quotes is what is compiled.
#include <doctest/doctest.h>

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
