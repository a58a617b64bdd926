#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe {

/// Bytes of the UTF-8 character (RFC 3629) that `text`, which is not empty, starts with; 0 if it starts with none.
size_t utf8_character_bytes(std::string_view text);

/// Whether `text` is well-formed UTF-8, the only text that protobuf and JSON take: protobuf writes another
/// one all the same, and then refuses to read the record that it is in.
bool is_utf8(std::string_view text);

/// `text`, with U+FFFD in the place of every byte that is no part of a UTF-8 character.
std::string to_utf8(std::string text);

/// `text` if it has at most `characters_max` characters, which is at least 1, else its start with an ellipsis as the
/// last of so many. A byte that is no part of a character counts as one.
std::string shortened_utf8(std::string text, size_t characters_max);

}  // namespace troupe
