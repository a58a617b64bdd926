#include "troupe/runtime/options/option_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/strict_json.h"

namespace troupe {
namespace {

using Json = nlohmann::json;
using OptionKind = OptionType::Kind;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

std::optional<OptionScalar> integer_from_json(const OptionType& type, const Json& json) {
  if (type.accepts_bool && json.is_boolean()) {
    return integer_from_json(type, json.get<bool>() ? 1 : 0);
  }
  if (!json.is_number_integer()) {
    return std::nullopt;
  }
  if (json.is_number_unsigned()) {
    const auto number = json.get<uint64_t>();
    if (number > type.integer_max) {
      return std::nullopt;
    }
    return type.kind == OptionKind::kUnsigned ? OptionScalar(number) : OptionScalar(static_cast<int64_t>(number));
  }
  const auto number = json.get<int64_t>();
  if (type.kind == OptionKind::kUnsigned) {
    return number < 0 || static_cast<uint64_t>(number) > type.integer_max
               ? std::nullopt
               : std::optional<OptionScalar>(static_cast<uint64_t>(number));
  }
  const bool fits = number >= type.integer_min && (number < 0 || static_cast<uint64_t>(number) <= type.integer_max);
  return fits ? std::optional<OptionScalar>(number) : std::nullopt;
}

std::optional<OptionScalar> number_from_json(const Json& json) {
  if (json.is_number()) {
    return json.get<double>();
  }
  if (json == "inf" || json == "-inf") {
    return json == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  }
  return std::nullopt;
}

std::optional<OptionScalar> count_or_fraction_from_json(const Json& json) {
  if (json.is_number_float()) {
    return CountOrFraction(json.get<double>());
  }
  const auto count =
      integer_from_json({.kind = OptionKind::kSigned, .integer_max = std::numeric_limits<int64_t>::max()}, json);
  return count ? std::optional<OptionScalar>(CountOrFraction(std::get<int64_t>(*count))) : std::nullopt;
}

std::optional<OptionScalar> interval_from_json(const Json& json) {
  if (json.is_string()) {
    const auto interval = ValidationInterval::parse(json.get<std::string>());
    return interval && interval->is_duration() ? std::optional<OptionScalar>(*interval) : std::nullopt;
  }
  const auto batches = count_or_fraction_from_json(json);
  return batches ? std::optional<OptionScalar>(ValidationInterval(std::get<CountOrFraction>(*batches))) : std::nullopt;
}

Json to_json(const CountOrFraction& amount) {
  return amount.is_count() ? Json(amount.count()) : Json(amount.fraction());
}

std::optional<OptionScalar> scalar_from_json(const OptionType& type, const Json& json) {
  switch (type.kind) {
    case OptionKind::kBool:
      return json.is_boolean() ? std::optional<OptionScalar>(json.get<bool>()) : std::nullopt;
    case OptionKind::kSigned:
    case OptionKind::kUnsigned:
      return integer_from_json(type, json);
    case OptionKind::kNumber:
      return number_from_json(json);
    case OptionKind::kText:
      return json.is_string() ? std::optional<OptionScalar>(json.get<std::string>()) : std::nullopt;
    case OptionKind::kCountOrFraction:
      return count_or_fraction_from_json(json);
    case OptionKind::kInterval:
      return interval_from_json(json);
  }
  return std::nullopt;
}

/// A key of a map. Only the shortest form is one: no two texts are the same key.
std::optional<int64_t> key_from_text(const std::string& text) {
  const auto key = parse_number<int64_t>(text);
  return key && std::to_string(*key) == text ? key : std::nullopt;
}

std::optional<OptionValue> map_from_json(const OptionType& type, const Json& json) {
  if (!json.is_object()) {
    return std::nullopt;
  }
  std::map<int64_t, OptionScalar> entries;  // JSON objects are sorted as texts.
  for (const auto& [text, element] : json.items()) {
    const auto key = key_from_text(text);
    auto value = scalar_from_json(type, element);
    if (!key || !value) {
      return std::nullopt;
    }
    entries.emplace(*key, std::move(*value));
  }
  std::vector<OptionScalar> scalars;
  for (auto& [key, value] : entries) {
    scalars.emplace_back(key);
    scalars.push_back(std::move(value));
  }
  return OptionValue(std::move(scalars));
}

/// What the text means as JSON for an option of this kind; null if it cannot be one.
Json json_from_text(const OptionType& type, std::string_view text) {
  if (type.kind == OptionKind::kText) {
    return std::string(text);
  }
  if (type.kind == OptionKind::kBool || type.accepts_bool) {
    if (text == "true" || text == "false") {
      return text == "true";
    }
  }
  if (type.kind == OptionKind::kCountOrFraction) {
    const auto amount = CountOrFraction::parse(text);
    return amount ? to_json(*amount) : Json();
  }
  if (type.kind == OptionKind::kInterval) {
    const auto interval = ValidationInterval::parse(text);
    return !interval ? Json() : interval->is_duration() ? Json(std::string(text)) : to_json(interval->batches());
  }
  if (const auto number = parse_number<int64_t>(text)) {
    return *number;
  }
  if (const auto number = parse_number<uint64_t>(text)) {
    return *number;
  }
  if (const auto number = parse_number<double>(text); number && std::isfinite(*number)) {
    return *number;
  }
  return std::string(text);
}

/// The same for a map: "0:4,5:2", or a JSON object. No key comes twice.
Json map_from_text(const OptionType& type, std::string_view text) {
  if (text.starts_with('{')) {
    try {
      return parse_json(text, "map");
    } catch (const ConfigError&) {
      return {};
    }
  }
  Json map = Json::object();
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto entry = text.substr(0, comma);
    const auto colon = entry.find(':');
    const bool last = comma == std::string_view::npos;
    text = last ? std::string_view() : text.substr(comma + 1);
    if (colon == std::string_view::npos || (text.empty() && !last) ||
        !map.emplace(std::string(entry.substr(0, colon)), json_from_text(type, entry.substr(colon + 1))).second) {
      return {};
    }
  }
  return map;
}

Json scalar_to_json(const OptionScalar& scalar) {
  if (const auto* amount = std::get_if<CountOrFraction>(&scalar)) {
    return to_json(*amount);
  }
  if (const auto* interval = std::get_if<ValidationInterval>(&scalar)) {
    return interval->is_duration() ? Json(interval->to_string()) : to_json(interval->batches());
  }
  if (const auto* number = std::get_if<double>(&scalar); number != nullptr && !std::isfinite(*number)) {
    return std::isnan(*number) ? "nan" : *number > 0 ? "inf" : "-inf";
  }
  return std::visit(
      [](const auto& value) -> Json {
        if constexpr (std::is_constructible_v<Json, decltype(value)>) {
          return value;
        } else {
          return nullptr;
        }
      },
      scalar);
}

}  // namespace

std::optional<OptionValue> option_value_from_json(const OptionType& type, const Json& json) {
  if (json.is_null() && type.optional) {
    return OptionValue();
  }
  if (type.map) {
    return map_from_json(type, json);
  }
  if (type.list != json.is_array()) {
    return std::nullopt;
  }
  std::vector<OptionScalar> scalars;
  for (const auto& element : type.list ? json : Json::array({json})) {
    auto scalar = scalar_from_json(type, element);
    if (!scalar) {
      return std::nullopt;
    }
    scalars.push_back(std::move(*scalar));
  }
  return OptionValue(std::move(scalars));
}

Json option_value_to_json(const OptionType& type, const OptionValue& value) {
  if (!value) {
    return nullptr;
  }
  if (type.map) {
    Json map = Json::object();
    for (std::size_t i = 0; i + 1 < value->size(); i += 2) {
      map[std::to_string(std::get<int64_t>((*value)[i]))] = scalar_to_json((*value)[i + 1]);
    }
    return map;
  }
  if (!type.list) {
    return scalar_to_json(value->front());
  }
  Json list = Json::array();
  for (const auto& scalar : *value) {
    list.push_back(scalar_to_json(scalar));
  }
  return list;
}

std::optional<OptionValue> option_value_from_text(const OptionType& type, std::string_view text) {
  if (type.optional && text == "none") {
    return OptionValue();
  }
  if (type.map) {
    return map_from_json(type, map_from_text(type, text));
  }
  if (!type.list) {
    const Json json = json_from_text(type, text);
    return json.is_null() ? std::nullopt : option_value_from_json(type, json);
  }
  Json list = Json::array();
  if (text.starts_with('[')) {
    list = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  } else {
    while (!text.empty()) {
      const auto comma = text.find(',');
      list.push_back(json_from_text(type, text.substr(0, comma)));
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
  }
  return option_value_from_json(type, list);
}

namespace {

std::string json_to_text(const Json& json) {
  return json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// By key, which JSON objects are not.
std::string map_to_text(const std::vector<OptionScalar>& entries) {
  std::string text;
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
    text.append(text.empty() ? "" : ",").append(std::to_string(std::get<int64_t>(entries[i])));
    text.append(":").append(json_to_text(scalar_to_json(entries[i + 1])));
  }
  return text.empty() ? "{}" : text;
}

}  // namespace

std::string option_value_to_text(const OptionType& type, const OptionValue& value) {
  if (!value) {
    return "none";
  }
  return type.map ? map_to_text(*value) : json_to_text(option_value_to_json(type, value));
}

std::string quote_json(const Json& json) {
  constexpr std::size_t kLengthMax = 60;
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kLengthMax ? text : text.substr(0, kLengthMax) + "...";
}

}  // namespace troupe
