#include "troupe/runtime/base/tensor_names.h"

#include "troupe/runtime/base/utf8.h"

namespace troupe {
namespace {

/// U+0000 to U+001F, and U+007F to U+009F, of which terminals take some as the start of a command.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  return first < ' ' || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character.back()) < 0xa0);
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, utf8_character_bytes(text));
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
