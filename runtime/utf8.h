#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// Whether `text` is well-formed UTF-8 (RFC 3629), the only text that protobuf and JSON take: protobuf writes another
/// one all the same, and then refuses to read the record that it is in.
bool is_utf8(std::string_view text);

/// `text`, with U+FFFD in the place of every byte that is no part of a UTF-8 character.
std::string to_utf8(std::string text);

}  // namespace troupe
