#pragma once

#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "troupe/runtime/options/options.h"

namespace troupe {

/// Which values of a monitored metric are better.
enum class Mode { kMin, kMax };

template <>
struct EnumNames<Mode> {
  static constexpr std::array<std::pair<Mode, std::string_view>, 2> kNames{{{Mode::kMin, "min"}, {Mode::kMax, "max"}}};
};

/// "min" or "max".
constexpr std::string_view mode_name(Mode mode) {
  return mode == Mode::kMin ? "min" : "max";
}

/// Whether `a` is strictly better than `b`; never when either is NaN.
constexpr bool better(Mode mode, double a, double b) {
  return mode == Mode::kMin ? a < b : a > b;
}

/// What every finite value is better than: +inf for kMin, -inf for kMax.
constexpr double worst_score(Mode mode) {
  return mode == Mode::kMin ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

}  // namespace troupe
