#include "troupe/runtime/options/option_field.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/options/option_text.h"

namespace troupe {
namespace {

std::string kind_text(const OptionType& type) {
  using Kind = OptionType::Kind;
  switch (type.kind) {
    case Kind::kBool:
      return "true or false";
    case Kind::kSigned:
    case Kind::kUnsigned:
      return "an integer";
    case Kind::kNumber:
      return "a number";
    case Kind::kCountOrFraction:
      return "a count (an integer of at least 0) or a fraction (a real number from 0.0 to 1.0)";
    case Kind::kInterval:
      return "a count (an integer of at least 1), a fraction (a real number up to 1.0) or a duration \"DD:HH:MM:SS\"";
    case Kind::kText:
      return "a string";
  }
  return {};
}

std::string join(const std::vector<std::string>& texts, const std::string& separator, const std::string& quote) {
  std::string joined;
  for (const auto& text : texts) {
    joined.append(joined.empty() ? "" : separator).append(quote).append(text).append(quote);
  }
  return joined;
}

/// For an integer that its limits allow and its type cannot hold.
std::string range_note(const OptionType& type, std::string_view got) {
  const bool integer = type.kind == OptionType::Kind::kSigned || type.kind == OptionType::Kind::kUnsigned;
  if (got.starts_with('\'')) {
    got = got.substr(1, got.size() - 2);
  }
  if (!integer || got.empty() || got.find_first_not_of("-0123456789") != std::string_view::npos) {
    return {};
  }
  double number = 0.0;
  std::from_chars(got.data(), got.data() + got.size(), number);
  if (number <= static_cast<double>(type.integer_max)) {
    return {};
  }
  return " (it can hold at most " + std::to_string(type.integer_max) + ")";
}

std::optional<double> number_of(const OptionScalar& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return static_cast<double>(*number);
  }
  if (const auto* number = std::get_if<uint64_t>(&value)) {
    return static_cast<double>(*number);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return *number;
  }
  if (const auto* number = std::get_if<CountOrFraction>(&value)) {
    return number->value();
  }
  if (const auto* number = std::get_if<ValidationInterval>(&value)) {
    return number->value();
  }
  return std::nullopt;
}

}  // namespace

OptionField::OptionField(std::string name, std::string help, OptionType type, Getter get, Setter set)
    : name_(std::move(name)), help_(std::move(help)), type_(type), get_(std::move(get)), set_(std::move(set)) {}

OptionField& OptionField::required() {
  assert(type_.kind == OptionType::Kind::kText || type_.list || type_.map || type_.optional);
  required_ = true;
  return *this;
}
OptionField& OptionField::at_least(double bound) {
  at_least_ = bound;
  return *this;
}
OptionField& OptionField::greater_than(double bound) {
  greater_than_ = bound;
  return *this;
}
OptionField& OptionField::at_most(double bound) {
  at_most_ = bound;
  return *this;
}
OptionField& OptionField::less_than(double bound) {
  less_than_ = bound;
  return *this;
}
OptionField& OptionField::keys_at_least(int64_t bound) {
  assert(type_.map);
  keys_at_least_ = bound;
  return *this;
}
OptionField& OptionField::accept_bool() {
  type_.accepts_bool = true;
  return *this;
}
OptionField& OptionField::one_of(std::vector<std::string> texts) {
  one_of_ = std::move(texts);
  return *this;
}

std::string OptionField::type_text() const {
  using Kind = OptionType::Kind;
  std::string text = "text";
  if (!one_of_.empty()) {
    text = join(one_of_, "|", "");
  } else if (type_.kind == Kind::kBool) {
    text = "true|false";
  } else if (type_.kind == Kind::kSigned || type_.kind == Kind::kUnsigned) {
    text = "int";
  } else if (type_.kind == Kind::kNumber) {
    text = "number";
  } else if (type_.kind == Kind::kCountOrFraction) {
    text = "count or fraction";
  } else if (type_.kind == Kind::kInterval) {
    text = "count, fraction or duration";
  }
  return (type_.map ? "int:" : "") + text + (type_.accepts_bool ? " or true|false" : "") +
         (type_.list || type_.map ? ",..." : "") + (type_.optional ? " or none" : "");
}

std::string OptionField::value_text() const {
  return option_value_to_text(type_, get_());
}

std::string OptionField::allowed() const {
  std::string text = one_of_.empty() ? kind_text(type_) : "one of " + join(one_of_, ", ", "\"");
  std::vector<std::string> limits;
  const auto add_limit = [&limits](const char* words, const std::optional<double>& bound) {
    if (bound) {
      limits.push_back(words + shortest_text(*bound));
    }
  };
  const bool natural = type_.kind == OptionType::Kind::kUnsigned && !at_least_ && !greater_than_;
  add_limit("of at least ", natural ? std::optional(0.0) : at_least_);
  add_limit("greater than ", greater_than_);
  add_limit("of at most ", at_most_);
  add_limit("less than ", less_than_);
  text += (limits.empty() ? "" : " ") + join(limits, " and ", "");
  if (required_ && type_.kind == OptionType::Kind::kText && !type_.list && one_of_.empty()) {
    text += " that is not empty";
  }
  text += type_.accepts_bool ? ", true or false" : "";
  if (type_.map) {
    const std::string keys = keys_at_least_ ? " of at least " + std::to_string(*keys_at_least_) : std::string();
    text = "a map, each key an integer" + keys + ", each value " + text;
  }
  return (type_.list ? "a list, each element " : "") + text + (type_.optional ? ", or none" : "");
}

void OptionField::set(const std::string& owner, const OptionValue& value, const std::string& got) {
  if (!within_limits(value)) {
    refuse(owner, got);
  }
  set_(value);
}

void OptionField::refuse(const std::string& owner, const std::string& got) const {
  throw ConfigError(owner + ": '" + name_ + "': must be " + allowed() + ", got " + got + range_note(type_, got));
}

bool OptionField::within_limits(const OptionValue& value) const {
  bool is_key = type_.map;
  return !value || std::all_of(value->begin(), value->end(), [&](const auto& scalar) {
    const bool within = is_key ? key_within_limits(scalar) : within_limits(scalar);
    is_key = type_.map && !is_key;
    return within;
  });
}

bool OptionField::key_within_limits(const OptionScalar& key) const {
  return !keys_at_least_ || std::get<int64_t>(key) >= *keys_at_least_;
}

bool OptionField::within_limits(const OptionScalar& value) const {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return one_of_.empty() ? !(required_ && text->empty())
                           : std::find(one_of_.begin(), one_of_.end(), *text) != one_of_.end();
  }
  if (const auto* amount = std::get_if<CountOrFraction>(&value); amount != nullptr && !amount->valid()) {
    return false;
  }
  if (const auto* interval = std::get_if<ValidationInterval>(&value); interval != nullptr && !interval->valid()) {
    return false;
  }
  const auto number = number_of(value);
  if (!number) {
    return true;
  }
  return !std::isnan(*number) && !(at_least_ && *number < *at_least_) &&
         !(greater_than_ && *number <= *greater_than_) && !(at_most_ && *number > *at_most_) &&
         !(less_than_ && *number >= *less_than_);
}

}  // namespace troupe
