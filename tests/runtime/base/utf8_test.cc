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

TEST_CASE("a text is shortened between characters, with an ellipsis as its last one") {
  const std::string ellipsis = "\xe2\x80\xa6";
  CHECK(shortened_utf8("", 1) == "");
  CHECK(shortened_utf8("abc", 3) == "abc");
  CHECK(shortened_utf8("abcd", 3) == "ab" + ellipsis);
  CHECK(shortened_utf8("abcd", 1) == ellipsis);
  CHECK(shortened_utf8("Größe", 5) == "Größe");
  CHECK(shortened_utf8("Größe", 4) == "Grö" + ellipsis);
  CHECK(shortened_utf8("Größe", 3) == "Gr" + ellipsis);
  CHECK(shortened_utf8("\xf0\x9f\x8e\xad\xf0\x9f\x8e\xad", 1) == ellipsis);
  CHECK(shortened_utf8("\xff\xff\xff", 2) == "\xff" + ellipsis);
  CHECK(shortened_utf8("ab\xe2\x80", 3) == "ab" + ellipsis);
}
