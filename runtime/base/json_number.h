#pragma once

#include <nlohmann/json_fwd.hpp>

namespace troupe {

/// A number as JSON: NaN and infinities, which JSON has no numbers for, as the strings "nan", "inf" and "-inf".
nlohmann::json json_number(double value);

}  // namespace troupe
