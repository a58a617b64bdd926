#include "runtime/tensor_names.h"

#include <cstddef>
#include <cstdint>

namespace troupe {
namespace {

/// Bytes of the character that `text`, which is not empty, starts with; 0 if it starts with none.
size_t character_bytes(std::string_view text) {
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

/// U+0000 to U+001F, and U+007F to U+009F, of which terminals take some as the start of a command.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  return first < ' ' || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character.back()) < 0xa0);
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = character_bytes(text);
    if (size == 0) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

std::string one_line(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, character_bytes(text));
    shown.append(character.empty() || is_control(character) ? "?" : character);
    text.remove_prefix(character.empty() ? 1 : character.size());
  }
  return shown;
}

std::string printable(std::string_view text) {
  constexpr size_t kBytesMax = 200;
  return one_line(text.substr(0, kBytesMax)) + (text.size() > kBytesMax ? "..." : "");
}

}  // namespace troupe
