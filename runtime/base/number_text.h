#pragma once

#include <string>

namespace troupe {

/// The shortest decimal text that reads back as the same number: "0.1", "1e-08", "-inf", "nan". In any locale.
std::string shortest_text(double value);

/// `value` with so many digits after the point, rounded to even; in any locale. `value` must be finite.
std::string fixed_text(double value, int digits);

}  // namespace troupe
