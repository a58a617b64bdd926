#include "troupe/runtime/base/duration.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace troupe {
namespace {

constexpr int64_t kMinute = 60;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

std::optional<int64_t> parse_digits(std::string_view digits) {
  constexpr size_t kDigitsMax = 9;  // Of days: more would not fit.
  if (digits.empty() || digits.size() > kDigitsMax || digits.find_first_not_of("0123456789") != digits.npos) {
    return std::nullopt;
  }
  int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace

std::optional<int64_t> parse_duration_s(std::string_view text) {
  constexpr size_t kTail = sizeof(":HH:MM:SS") - 1;
  if (text.size() <= kTail) {
    return std::nullopt;
  }
  const auto tail = text.substr(text.size() - kTail);
  if (tail[0] != ':' || tail[3] != ':' || tail[6] != ':') {
    return std::nullopt;
  }
  const auto days = parse_digits(text.substr(0, text.size() - kTail));
  const auto hours = parse_digits(tail.substr(1, 2));
  const auto minutes = parse_digits(tail.substr(4, 2));
  const auto seconds = parse_digits(tail.substr(7, 2));
  if (!days || !hours || !minutes || !seconds) {
    return std::nullopt;
  }
  return *days * kDay + *hours * kHour + *minutes * kMinute + *seconds;
}

std::string duration_text(int64_t seconds) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%02lld:%02lld:%02lld:%02lld", static_cast<long long>(seconds / kDay),
                static_cast<long long>(seconds % kDay / kHour), static_cast<long long>(seconds % kHour / kMinute),
                static_cast<long long>(seconds % kMinute));
  return text.data();
}

}  // namespace troupe
