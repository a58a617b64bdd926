#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// What the names of a module's parameters and buffers begin with in a checkpoint.
inline constexpr char kModulePrefix[] = "module.";

inline bool is_module_tensor(std::string_view name) {
  return name.starts_with(kModulePrefix);
}

/// The module's own name of a tensor of which is_module_tensor is true.
inline std::string without_module_prefix(std::string_view name) {
  return std::string(name.substr(sizeof kModulePrefix - 1));
}

/// A foreign `text` with '?' for control characters and what is no UTF-8: one line, which does nothing to a terminal.
std::string one_line(std::string_view text);

/// one_line of the first 200 bytes at most, for an error.
std::string printable(std::string_view text);

}  // namespace troupe
