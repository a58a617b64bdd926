#include "troupe/runtime/base/xml_text.h"

#include <doctest/doctest.h>

using namespace troupe;

namespace {

const std::string kBad = "\xEF\xBF\xBD";

}  // namespace

TEST_CASE("markup characters are escaped and all other text stays") {
  CHECK(xml_escaped("a < b && \"c\" > 'd'") == "a &lt; b &amp;&amp; &quot;c&quot; &gt; &apos;d&apos;");
  CHECK(xml_escaped("\xCE\xBC \xE2\x82\xAC \xF0\x9F\x8E\xAD\t\n") == "\xCE\xBC \xE2\x82\xAC \xF0\x9F\x8E\xAD\t\n");
  CHECK(xml_escaped("").empty());
}

TEST_CASE("what no XML document may hold becomes the replacement character") {
  using namespace std::string_literals;
  CHECK(xml_escaped("a\0b\x1F"s) == "a" + kBad + "b" + kBad);
  CHECK(xml_escaped("\xFF") == kBad);
  CHECK(xml_escaped("\x80z") == kBad + "z");      // A byte that continues nothing.
  CHECK(xml_escaped("\xCE") == kBad);             // Cut short.
  CHECK(xml_escaped("\xE2\x82") == kBad + kBad);  // Cut short after its second byte.
  CHECK(xml_escaped("\xE2(x") == kBad + "(x");    // Broken off by another character.
  CHECK(xml_escaped("\xC0\xAF") == kBad + kBad);  // "/" in more bytes than it needs.
  CHECK(xml_escaped("\xE0\x80\xAF") == kBad + kBad + kBad);
  CHECK(xml_escaped("\xED\xA0\x80") == kBad + kBad + kBad);             // A surrogate.
  CHECK(xml_escaped("\xF4\x90\x80\x80") == kBad + kBad + kBad + kBad);  // Beyond U+10FFFF.
  CHECK(xml_escaped("\xEF\xBF\xBF") == kBad + kBad + kBad);             // U+FFFF.
}
