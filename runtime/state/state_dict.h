#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// The state of a callback as a checkpoint keeps it: names to values, nested, sorted by name. A value type.
///
/// Names and strings are UTF-8: protobuf cannot read back others. Setting another one throws ConfigError with its name;
/// set_bytes takes any bytes.
class StateDict {
 public:
  StateDict() = default;
  explicit StateDict(v1::StateDict proto) : proto_(std::move(proto)) {}

  /// Sets `name`, replacing what was there.
  void set(std::string_view name, bool value) { value_of(name)->set_bool_value(value); }
  void set(std::string_view name, std::integral auto value) { value_of(name)->set_int_value(value); }
  void set(std::string_view name, double value) { value_of(name)->set_double_value(value); }
  void set(std::string_view name, std::string_view value) { value_of(name)->set_string_value(text(name, value)); }
  void set(std::string_view name, const char* value) { set(name, std::string_view(value)); }
  void set(std::string_view name, const std::string& value) { set(name, std::string_view(value)); }
  void set(std::string_view name, const StateDict& value) { *value_of(name)->mutable_dict() = value.proto_; }
  void set(std::string_view name, const std::map<std::string, double>& value);
  void set(std::string_view name, const std::vector<std::string>& value);
  void set(std::string_view name, const std::vector<double>& value);
  void set_bytes(std::string_view name, std::string value) { value_of(name)->set_bytes_value(std::move(value)); }
  void set_none(std::string_view name) { value_of(name)->set_none(true); }

  bool contains(std::string_view name) const { return find(name) != nullptr; }
  bool is_none(std::string_view name) const;
  bool empty() const { return proto_.entries_size() == 0; }

  /// The value under `name`. Each throws CorruptionError when it is missing or of another type.
  bool get_bool(std::string_view name) const;
  int64_t get_int(std::string_view name) const;
  double get_double(std::string_view name) const;
  std::string get_string(std::string_view name) const;
  std::string get_bytes(std::string_view name) const;
  StateDict get_dict(std::string_view name) const;
  std::map<std::string, double> get_double_map(std::string_view name) const;
  std::vector<std::string> get_strings(std::string_view name) const;
  std::vector<double> get_doubles(std::string_view name) const;

  const v1::StateDict& proto() const& { return proto_; }
  v1::StateDict proto() && { return std::move(proto_); }

  /// As JSON: NaN and infinities as the strings "nan", "inf", "-inf"; none as null.
  std::string to_json() const;

 private:
  /// `value`, which has to be UTF-8.
  static std::string text(std::string_view name, std::string_view value);
  v1::StateValue* value_of(std::string_view name);
  const v1::StateValue* find(std::string_view name) const;
  const v1::StateValue& at(std::string_view name, v1::StateValue::ValueCase type) const;

  v1::StateDict proto_;
};

}  // namespace troupe
