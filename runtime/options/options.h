#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/strict_json.h"
#include "troupe/runtime/options/option_field.h"

namespace troupe {

/// Names of an enum's enumerators in configuration. Specialise it for each enum that is an option:
///   template <> struct EnumNames<Mode> {
///     static constexpr std::array<std::pair<Mode, std::string_view>, 2> kNames{{{Mode::kMin, "min"}, {Mode::kMax,
///     "max"}}};
///   };
template <class E>
struct EnumNames;

namespace options_detail {

template <class T>
struct Scalar {
  static_assert(
      std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, std::string> ||
          std::same_as<T, CountOrFraction> || std::same_as<T, ValidationInterval>,
      "an option is a bool, an integer, a double, a std::string, an enum with EnumNames, a CountOrFraction, a "
      "ValidationInterval, a std::optional or std::vector of one, or a std::map from int64_t to one");
  using Kind = OptionType::Kind;

  static OptionType type() {
    if constexpr (std::same_as<T, bool>) {
      return {.kind = Kind::kBool};
    } else if constexpr (std::integral<T>) {
      return {.kind = std::is_signed_v<T> ? Kind::kSigned : Kind::kUnsigned,
              .integer_min = static_cast<int64_t>(std::numeric_limits<T>::min()),
              .integer_max = static_cast<uint64_t>(std::numeric_limits<T>::max())};
    } else if constexpr (std::floating_point<T>) {
      return {.kind = Kind::kNumber};
    } else if constexpr (std::same_as<T, CountOrFraction>) {
      return {.kind = Kind::kCountOrFraction};
    } else if constexpr (std::same_as<T, ValidationInterval>) {
      return {.kind = Kind::kInterval};
    } else {
      return {.kind = Kind::kText};
    }
  }

  static std::vector<std::string> names() {
    std::vector<std::string> names;
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [value, name] : EnumNames<T>::kNames) {
        names.emplace_back(name);
      }
    }
    return names;
  }

  static OptionScalar get(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [known, name] : EnumNames<T>::kNames) {
        if (known == value) {
          return std::string(name);
        }
      }
      return std::to_string(static_cast<int64_t>(value));
    } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
      return static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<double>(value);
    } else {
      return value;
    }
  }

  static T parse(const OptionScalar& scalar) {
    if constexpr (std::is_enum_v<T>) {
      T found{};
      for (const auto& [value, name] : EnumNames<T>::kNames) {
        found = name == std::get<std::string>(scalar) ? value : found;
      }
      return found;
    } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
      return static_cast<T>(std::get<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(scalar));
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(std::get<double>(scalar));
    } else {
      return std::get<T>(scalar);
    }
  }
};

template <class T>
struct Member {
  using Element = T;
  static constexpr bool kOptional = false;
  static constexpr bool kList = false;
  static constexpr bool kMap = false;
  static OptionValue get(const T& value) { return std::vector<OptionScalar>{Scalar<T>::get(value)}; }
  static void set(T& member, const OptionValue& value) { member = Scalar<T>::parse(value->front()); }
};

template <class T>
struct Member<std::vector<T>> {
  using Element = T;
  static constexpr bool kOptional = false;
  static constexpr bool kList = true;
  static constexpr bool kMap = false;
  static OptionValue get(const std::vector<T>& values) {
    std::vector<OptionScalar> scalars;
    scalars.reserve(values.size());
    for (const auto& value : values) {
      scalars.push_back(Scalar<T>::get(value));
    }
    return scalars;
  }
  static void set(std::vector<T>& member, const OptionValue& value) {
    member.clear();
    for (const auto& scalar : *value) {
      member.push_back(Scalar<T>::parse(scalar));
    }
  }
};

template <class T>
struct Member<std::map<int64_t, T>> {
  using Element = T;
  static constexpr bool kOptional = false;
  static constexpr bool kList = false;
  static constexpr bool kMap = true;
  static OptionValue get(const std::map<int64_t, T>& entries) {
    std::vector<OptionScalar> scalars;
    for (const auto& [key, value] : entries) {
      scalars.emplace_back(key);
      scalars.push_back(Scalar<T>::get(value));
    }
    return scalars;
  }
  static void set(std::map<int64_t, T>& member, const OptionValue& value) {
    member.clear();
    for (size_t i = 0; i + 1 < value->size(); i += 2) {
      member[std::get<int64_t>((*value)[i])] = Scalar<T>::parse((*value)[i + 1]);
    }
  }
};

template <class T>
struct Member<std::optional<T>> {
  using Element = typename Member<T>::Element;
  static constexpr bool kOptional = true;
  static constexpr bool kList = Member<T>::kList;
  static constexpr bool kMap = Member<T>::kMap;
  static OptionValue get(const std::optional<T>& value) { return value ? Member<T>::get(*value) : OptionValue(); }
  static void set(std::optional<T>& member, const OptionValue& value) {
    member.reset();
    if (value) {
      Member<T>::set(member.emplace(), value);
    }
  }
};

}  // namespace options_detail

/// Collects the options of a struct. The struct says once what it has, in `void describe(OptionVisitor& visit)`:
///   visit("patience", patience, "Checks without improvement before the vote.").at_least(0);
/// and JSON files, command line flags, --help and printed configurations follow from it.
class OptionVisitor {
 public:
  /// The result may be refined until the next call; `member` must live as long as the fields are used.
  template <class T>
  OptionField& operator()(std::string name, T& member, std::string help) {
    using Member = options_detail::Member<T>;
    using Scalar = options_detail::Scalar<typename Member::Element>;
    OptionType type = Scalar::type();
    type.optional = Member::kOptional;
    type.list = Member::kList;
    type.map = Member::kMap;
    fields_.emplace_back(
        std::move(name), std::move(help), type, [&member] { return Member::get(member); },
        [&member](const OptionValue& value) { Member::set(member, value); });
    return fields_.back().one_of(Scalar::names());
  }

  std::vector<OptionField>& fields() { return fields_; }

 private:
  std::vector<OptionField> fields_;
};

/// A struct that can be configured. It may also have `void validate() const`, which throws ConfigError when options
/// that are fine each for itself make no sense together; the owner is put before its text.
template <class T>
concept DescribedOptions = std::copyable<T> && requires(T& options, OptionVisitor& visit) {
  options.describe(visit);
};

/// What --help and documentation say of one option.
struct OptionInfo {
  std::string name;
  std::string type;           ///< "int", "number or none", "min|max".
  std::string default_value;  ///< "3", "none".
  std::string help;
  std::string allowed;  ///< "an integer of at least 0".
  bool required = false;
};

// The same for fields of any struct. `owner` is who the options belong to and opens every message: "EarlyStopping",
// "--trainer".
void read_fields(const std::string& owner, std::vector<OptionField>& fields, const nlohmann::json& json);
void set_field(const std::string& owner, std::vector<OptionField>& fields, std::string_view name,
               std::string_view text);
void check_fields(const std::string& owner, const std::vector<OptionField>& fields);
nlohmann::json fields_to_json(const std::vector<OptionField>& fields);
std::vector<OptionInfo> field_infos(const std::vector<OptionField>& fields);
/// " (did you mean 'patience'?)" when `word` is close to one of `known`, else nothing.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
/// nearest(), then "; allowed: a, b".
std::string suggest(std::string_view word, const std::vector<std::string>& known);

/// The options' fields, pointing into `options`.
template <DescribedOptions Options>
std::vector<OptionField> option_fields(Options& options) {
  OptionVisitor visit;
  options.describe(visit);
  return std::move(visit.fields());
}

/// Checks what C++ code or flags have set: limits, required options, and validate(). Throws ConfigError.
template <DescribedOptions Options>
void check_options(const std::string& owner, const Options& options) {
  Options copy = options;
  check_fields(owner, option_fields(copy));
  if constexpr (requires { options.validate(); }) {
    try {
      options.validate();
    } catch (const ConfigError& error) {
      throw ConfigError(owner + ": " + error.what());
    }
  }
}

/// Sets from a JSON object; what it does not name keeps its value. Throws ConfigError that names owner, key and what is
/// allowed, on an unknown key, a value of the wrong type (nothing is converted but an integer to a double), or what
/// check_options refuses; then `options` is unchanged.
template <DescribedOptions Options>
void read_options(const std::string& owner, Options& options, const nlohmann::json& json) {
  Options copy = options;
  auto fields = option_fields(copy);
  read_fields(owner, fields, json);
  check_options(owner, copy);
  options = std::move(copy);
}

/// Sets one option from a command line. Checks its type and limits; check_options is for when all are set.
template <DescribedOptions Options>
void set_option(const std::string& owner, Options& options, std::string_view name, std::string_view text) {
  auto fields = option_fields(options);
  set_field(owner, fields, name, text);
}

/// Every option with its present value; read_options takes it back.
template <DescribedOptions Options, class Json = nlohmann::json>  // Only the caller needs <nlohmann/json.hpp>.
Json options_to_json(const Options& options) {
  Options copy = options;
  return fields_to_json(option_fields(copy));
}

/// What the options are; their values are the defaults.
template <DescribedOptions Options>
std::vector<OptionInfo> option_infos(const Options& options = {}) {
  Options copy = options;
  return field_infos(option_fields(copy));
}

}  // namespace troupe
