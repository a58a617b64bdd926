#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "troupe/runtime/options/count_or_fraction.h"
#include "troupe/runtime/options/validation_interval.h"

namespace troupe {

/// One value of an option with its C++ type erased. Signed integers travel as int64_t, enumerators as their names.
using OptionScalar = std::variant<bool, int64_t, uint64_t, double, std::string, CountOrFraction, ValidationInterval>;
/// An option's value: none (an empty std::optional), one scalar, the elements of a list, or the entries of a map, by
/// key: key, value, key, value.
using OptionValue = std::optional<std::vector<OptionScalar>>;

/// What an option may hold, before its own limits.
struct OptionType {
  enum class Kind { kBool, kSigned, kUnsigned, kNumber, kText, kCountOrFraction, kInterval };
  Kind kind = Kind::kText;
  bool optional = false;
  bool list = false;
  bool map = false;           ///< From integers (int64_t) to values of `kind`.
  bool accepts_bool = false;  ///< An integer takes true and false too.
  int64_t integer_min = 0;    ///< For kSigned.
  uint64_t integer_max = 0;   ///< For kSigned and kUnsigned.
};

/// One option of a described struct: where its value is, what it means, what it may be. Made by OptionVisitor; it
/// points into the struct that was described and must not outlive it.
class OptionField {
 public:
  using Getter = std::function<OptionValue()>;
  using Setter = std::function<void(const OptionValue&)>;

  OptionField(std::string name, std::string help, OptionType type, Getter get, Setter set);

  /// It must not stay empty. For strings, lists, maps and optionals.
  OptionField& required();
  /// Limits of a number, of each element of a list, or of each value of a map.
  OptionField& at_least(double bound);
  OptionField& greater_than(double bound);
  OptionField& at_most(double bound);
  OptionField& less_than(double bound);
  /// Limit of each key of a map.
  OptionField& keys_at_least(int64_t bound);
  /// An integer also takes true for 1 and false for 0.
  OptionField& accept_bool();
  /// The only texts allowed.
  OptionField& one_of(std::vector<std::string> texts);

  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  const OptionType& type() const { return type_; }
  bool is_required() const { return required_; }
  OptionValue get() const { return get_(); }

  /// Short name of the type for --help: "int", "number", "text", "true|false", "min|max", "count or fraction",
  /// "int:int,...".
  std::string type_text() const;
  /// Present value as text: "3", "val_loss", "none", "[1,2]", "0:4,5:2".
  std::string value_text() const;
  /// What it must be, as a message says it: "an integer of at least 0".
  std::string allowed() const;

  /// Stores a value that has the right type. Throws ConfigError when it is beyond the limits; `got` is how the user
  /// wrote it.
  void set(const std::string& owner, const OptionValue& value, const std::string& got);
  /// Throws the ConfigError "<owner>: '<name>': must be <allowed>, got <got>".
  [[noreturn]] void refuse(const std::string& owner, const std::string& got) const;
  bool within_limits(const OptionValue& value) const;

 private:
  bool within_limits(const OptionScalar& value) const;
  bool key_within_limits(const OptionScalar& key) const;

  std::string name_;
  std::string help_;
  OptionType type_;
  Getter get_;
  Setter set_;
  bool required_ = false;
  std::optional<double> at_least_;
  std::optional<double> greater_than_;
  std::optional<double> at_most_;
  std::optional<double> less_than_;
  std::optional<int64_t> keys_at_least_;
  std::vector<std::string> one_of_;
};

}  // namespace troupe
