#include "runtime/tensor_names.h"

#include "runtime/utf8.h"

namespace troupe {

std::string printable(std::string_view text) {
  constexpr size_t kBytesMax = 200;
  std::string shown(text.substr(0, kBytesMax));
  const bool utf8 = is_utf8(shown);
  for (char& letter : shown) {
    const auto code = static_cast<unsigned char>(letter);
    letter = code < ' ' || code == 0x7f || (code > 0x7f && !utf8) ? '?' : letter;
  }
  return text.size() > kBytesMax ? shown + "..." : shown;
}

}  // namespace troupe
