#include "troupe/runtime/base/utf8.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("well-formed text stays as it is") {
  for (const char* text : {"", "plain", "\xc3\xa9t\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xad"}) {
    CHECK(is_utf8(text));
    CHECK(to_utf8(text) == text);
  }
}

TEST_CASE("each byte that is no part of a character is replaced, and what follows is kept") {
  CHECK(to_utf8("a\xff"
                "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(to_utf8("\xe2\x82") == "\xef\xbf\xbd\xef\xbf\xbd");                        // Cut within a character.
  CHECK(to_utf8("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");                        // An overlong slash.
  CHECK(to_utf8("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");        // A surrogate.
  CHECK(to_utf8("\xf4\x90\x80\x80 \xc3\xa9").ends_with("\xef\xbf\xbd \xc3\xa9"));  // Beyond U+10FFFF.
  CHECK_FALSE(is_utf8("a\xff"));
}
