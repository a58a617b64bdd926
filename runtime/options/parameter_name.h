#pragma once

#include <string_view>

namespace troupe {

/// Whether `given` is the parameter's name, or a prefix of it that ends before a dot.
inline bool names_parameter(std::string_view given, std::string_view parameter) {
  return !given.empty() && parameter.starts_with(given) &&
         (parameter.size() == given.size() || parameter[given.size()] == '.');
}

}  // namespace troupe
