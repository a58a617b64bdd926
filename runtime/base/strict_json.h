#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace troupe {

/// Deepest nesting of arrays and objects: what works on a value recursively is safe.
inline constexpr std::size_t kJsonDepthMax = 64;

/// Parses one JSON value. Throws ConfigError that names `what` ("callbacks.json", "--trainer"), line and column, when
/// the text is not JSON, is nested deeper than kJsonDepthMax, or has one key twice in an object (JSON libraries
/// silently keep one of the two).
nlohmann::json parse_json(std::string_view text, const std::string& what);

}  // namespace troupe
