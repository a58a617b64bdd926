#include "troupe/runtime/base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace troupe {

size_t utf8_character_bytes(std::string_view text) {
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // By length: what fewer bytes would hold is no UTF-8.
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) {
    return 1;
  }
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc0 || first >= 0xf8 || text.size() < size) {
    return 0;
  }
  uint32_t code = first & (0x7fU >> size);
  for (const char next : text.substr(1, size - 1)) {
    if ((static_cast<unsigned char>(next) & 0xc0U) != 0x80) {
      return 0;
    }
    code = code << 6U | (static_cast<unsigned char>(next) & 0x3fU);
  }
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kSmallest[size] || code > 0x10ffff || surrogate ? 0 : size;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = utf8_character_bytes(text);
    if (size == 0) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

std::string to_utf8(std::string text) {
  if (is_utf8(text)) {
    return text;
  }
  std::string valid;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t size = utf8_character_bytes(rest);
    valid += size == 0 ? std::string_view("\xef\xbf\xbd") : rest.substr(0, size);
    rest.remove_prefix(size == 0 ? 1 : size);
  }
  return valid;
}

std::string shortened_utf8(std::string text, size_t characters_max) {
  size_t characters = 0;
  size_t kept = 0;  // Bytes of all characters but the last that there is room for.
  for (size_t at = 0; at < text.size(); ++characters) {
    if (characters + 1 == characters_max) {
      kept = at;
    } else if (characters == characters_max) {
      return text.substr(0, kept) + "\xe2\x80\xa6";
    }
    at += std::max<size_t>(utf8_character_bytes(std::string_view(text).substr(at)), 1);
  }
  return text;
}

}  // namespace troupe
