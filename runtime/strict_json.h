#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace troupe {

/// Parses one JSON value. Throws ConfigError that names `what` ("callbacks.json", "--trainer"), line and column, when
/// the text is not JSON or has one key twice in an object (JSON libraries silently keep one of the two).
nlohmann::json parse_json(std::string_view text, const std::string& what);

}  // namespace troupe
