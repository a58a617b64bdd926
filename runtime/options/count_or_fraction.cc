#include "troupe/runtime/options/count_or_fraction.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace troupe {

std::optional<CountOrFraction> CountOrFraction::parse(std::string_view text) {
  const char* const end = text.data() + text.size();
  int64_t count = 0;
  if (const auto [rest, error] = std::from_chars(text.data(), end, count); error == std::errc() && rest == end) {
    return CountOrFraction(count);
  }
  double fraction = 0.0;
  const bool real = text.find_first_of(".eE") != std::string_view::npos;
  if (const auto [rest, error] = std::from_chars(text.data(), end, fraction);
      real && error == std::errc() && rest == end) {
    return CountOrFraction(fraction);
  }
  return std::nullopt;
}

int64_t CountOrFraction::of(int64_t total) const {
  return count_ ? std::min(*count_, total) : static_cast<int64_t>(std::floor(fraction_ * static_cast<double>(total)));
}

std::string CountOrFraction::to_string() const {
  if (count_) {
    return std::to_string(*count_);
  }
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), fraction_).ptr;
  std::string text(buffer.data(), end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

}  // namespace troupe
