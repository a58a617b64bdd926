#include "troupe/runtime/base/tensor_names.h"

#include <doctest/doctest.h>

#include "troupe/runtime/base/utf8.h"

using namespace troupe;

TEST_CASE("a foreign text is shown on one line, without what a terminal could take for a command") {
  CHECK(one_line("layer.0 größe") == "layer.0 größe");
  CHECK(one_line("a\nb\x1b[2J\x7f") == "a?b?[2J?");
  CHECK(one_line("\xc2\x9b[2J\xc2\xa0") == "?[2J\xc2\xa0");  // U+009B starts a command too; U+00A0 is a space.
  CHECK(one_line("caf\xe9 größe \xc3") == "caf? größe ?");
  CHECK(is_utf8(one_line("\xff\xed\xa0\x80\xf0\x9f")));
}

TEST_CASE("a foreign text in an error is cut to 200 bytes") {
  CHECK(printable(std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(printable(std::string(201, 'x')) == std::string(200, 'x') + "...");
  CHECK(printable(std::string(199, 'x') + "ö") == std::string(199, 'x') + "?...");
}
