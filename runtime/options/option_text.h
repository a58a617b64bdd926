#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "troupe/runtime/options/option_field.h"

namespace troupe {

// Between an option's erased value and how people write it. A conversion that would change the value (3.7 or true to an
// integer, 1 to a fraction) gives nothing: the caller knows the option and says what it must be.

/// From JSON. Infinite numbers are the strings "inf" and "-inf", which JSON has no numbers for. A map is an object
/// whose keys are integers in their shortest form, {"0": 4, "5": 2}.
std::optional<OptionValue> option_value_from_json(const OptionType& type, const nlohmann::json& json);
nlohmann::json option_value_to_json(const OptionType& type, const OptionValue& value);

/// From a command line: "5", "true", "none", for a list "a,b" or a JSON array, for a map "0:4,5:2" or a JSON object.
std::optional<OptionValue> option_value_from_text(const OptionType& type, std::string_view text);
std::string option_value_to_text(const OptionType& type, const OptionValue& value);

/// JSON as a message quotes it: on one line, cut when it is long.
std::string quote_json(const nlohmann::json& json);

}  // namespace troupe
