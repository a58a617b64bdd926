#include "troupe/runtime/base/json_number.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace troupe {

nlohmann::json json_number(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  return value;
}

}  // namespace troupe
