#pragma once

#include <array>
#include <charconv>
#include <string>

#include "troupe/runtime/base/error.h"

namespace troupe {

/// The shortest text that reads back as the same number.
template <class T>
std::string argument_text(T value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// Throws ConfigError unless `allowed` holds. Written so that NaN never passes: compare for what is allowed, not for
/// what is not.
template <class T>
void require_argument(bool allowed, const char* schedule, const char* argument, T value, const char* range) {
  if (!allowed) {
    throw ConfigError(std::string("learning-rate schedule ") + schedule + ": " + argument + " = " +
                      argument_text(value) + ": must be " + range);
  }
}

}  // namespace troupe
