#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// A number as Python's repr(float) prints it: the shortest digits that read back as the same double, "1.0", "1e-05",
/// "nan", "inf".
std::string python_repr(double value);

/// A string as Python's repr prints it: in single quotes, or in double quotes where it holds single ones.
std::string python_repr(std::string_view text);

}  // namespace troupe
