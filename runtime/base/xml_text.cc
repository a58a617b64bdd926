#include "troupe/runtime/base/xml_text.h"

#include <array>
#include <cstdint>

namespace troupe {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of the UTF-8 character that `text` starts with; 0 if it starts with none that XML allows.
size_t character_bytes(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) {
    return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  }
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};  // What needs so many bytes.
  if (first < 0xC2 || first > 0xF4 || text.size() < size) {
    return 0;
  }
  uint32_t code = first & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next & 0xC0U) != 0x80) {
      return 0;
    }
    code = code << 6U | (next & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool allowed = code >= kSmallest[size] && code <= 0x10FFFF && !surrogate && code != 0xFFFE && code != 0xFFFF;
  return allowed ? size : 0;
}

std::string_view entity_of(char character) {
  switch (character) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&apos;";
    default:
      return {};
  }
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const size_t size = character_bytes(text);
    const std::string_view entity = entity_of(text[0]);
    escaped += size == 0 ? kReplacement : entity.empty() ? text.substr(0, size) : entity;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return escaped;
}

}  // namespace troupe
