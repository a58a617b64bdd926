#include "troupe/runtime/base/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace troupe {

std::string shortest_text(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string fixed_text(double value, int digits) {
  std::string text(static_cast<size_t>(std::numeric_limits<double>::max_exponent10 + 4 + digits), '\0');
  char* const end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

}  // namespace troupe
