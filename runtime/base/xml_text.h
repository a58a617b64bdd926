#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// `text` as character data or a quoted attribute of an XML 1.0 document in UTF-8. What may not stand in one (control
/// characters, bytes that are no UTF-8) becomes U+FFFD, the replacement character.
std::string xml_escaped(std::string_view text);

}  // namespace troupe
