#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// Seconds of a duration "DD:HH:MM:SS", as Lightning writes them: at least one digit of days, and two of each other
/// part, which need not be below 24 or 60. Nothing for any other text.
std::optional<int64_t> parse_duration_s(std::string_view text);

/// The same as text: 90061 is "01:01:01:01".
std::string duration_text(int64_t seconds);

}  // namespace troupe
