#include "troupe/runtime/state/state_dict.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/json_number.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"

namespace troupe {
namespace {

const char* type_name(v1::StateValue::ValueCase type) {
  switch (type) {
    case v1::StateValue::kBoolValue:
      return "a boolean";
    case v1::StateValue::kIntValue:
      return "an integer";
    case v1::StateValue::kDoubleValue:
      return "a number";
    case v1::StateValue::kStringValue:
      return "a string";
    case v1::StateValue::kBytesValue:
      return "bytes";
    case v1::StateValue::kList:
      return "a list";
    case v1::StateValue::kDict:
      return "a dict";
    default:
      return "none";
  }
}

nlohmann::json value_to_json(const v1::StateValue& value);

nlohmann::json dict_to_json(const v1::StateDict& dict) {
  auto json = nlohmann::json::object();
  for (const auto& entry : dict.entries()) {
    json[entry.name()] = value_to_json(entry.value());
  }
  return json;
}

nlohmann::json value_to_json(const v1::StateValue& value) {
  switch (value.value_case()) {
    case v1::StateValue::kBoolValue:
      return value.bool_value();
    case v1::StateValue::kIntValue:
      return value.int_value();
    case v1::StateValue::kDoubleValue:
      return json_number(value.double_value());
    case v1::StateValue::kStringValue:
      return value.string_value();
    case v1::StateValue::kBytesValue:
      return nlohmann::json{{"bytes", value.bytes_value().size()}};
    case v1::StateValue::kDict:
      return dict_to_json(value.dict());
    case v1::StateValue::kList: {
      auto list = nlohmann::json::array();
      for (const auto& element : value.list().values()) {
        list.push_back(value_to_json(element));
      }
      return list;
    }
    default:
      return nullptr;
  }
}

[[noreturn]] void throw_wrong_type(std::string_view name, v1::StateValue::ValueCase wanted,
                                   v1::StateValue::ValueCase found) {
  throw CorruptionError("state: '" + std::string(name) + "' is " + type_name(found) + ", not " + type_name(wanted));
}

}  // namespace

std::string StateDict::text(std::string_view name, std::string_view value) {
  if (!is_utf8(value)) {
    throw ConfigError("state: set('" + printable(name) +
                      "'): the string is not UTF-8; keep other bytes with set_bytes");
  }
  return std::string(value);
}

v1::StateValue* StateDict::value_of(std::string_view name) {
  if (!is_utf8(name)) {
    throw ConfigError("state: the name '" + printable(name) + "' is not UTF-8");
  }
  auto* entries = proto_.mutable_entries();
  auto place = std::lower_bound(entries->begin(), entries->end(), name,
                                [](const v1::StateEntry& entry, std::string_view key) { return entry.name() < key; });
  if (place == entries->end() || place->name() != name) {
    const auto index = static_cast<int>(place - entries->begin());
    auto* added = entries->Add();
    added->set_name(std::string(name));
    for (int i = entries->size() - 1; i > index; --i) {
      entries->SwapElements(i, i - 1);
    }
    return (*entries)[index].mutable_value();
  }
  place->mutable_value()->Clear();
  return place->mutable_value();
}

const v1::StateValue* StateDict::find(std::string_view name) const {
  for (const auto& entry : proto_.entries()) {
    if (entry.name() == name) {
      return &entry.value();
    }
  }
  return nullptr;
}

const v1::StateValue& StateDict::at(std::string_view name, v1::StateValue::ValueCase type) const {
  const auto* value = find(name);
  if (value == nullptr) {
    throw CorruptionError("state: '" + std::string(name) + "' is missing");
  }
  if (value->value_case() != type) {
    throw_wrong_type(name, type, value->value_case());
  }
  return *value;
}

void StateDict::set(std::string_view name, const std::map<std::string, double>& value) {
  StateDict dict;
  for (const auto& [key, number] : value) {
    dict.set(key, number);
  }
  set(name, dict);
}

void StateDict::set(std::string_view name, const std::vector<std::string>& value) {
  auto* list = value_of(name)->mutable_list();
  for (const auto& element : value) {
    list->add_values()->set_string_value(text(name, element));
  }
}

void StateDict::set(std::string_view name, const std::vector<double>& value) {
  auto* list = value_of(name)->mutable_list();
  for (const double element : value) {
    list->add_values()->set_double_value(element);
  }
}

bool StateDict::is_none(std::string_view name) const {
  const auto* value = find(name);
  return value == nullptr || value->value_case() == v1::StateValue::kNone;
}

bool StateDict::get_bool(std::string_view name) const {
  return at(name, v1::StateValue::kBoolValue).bool_value();
}

int64_t StateDict::get_int(std::string_view name) const {
  return at(name, v1::StateValue::kIntValue).int_value();
}

double StateDict::get_double(std::string_view name) const {
  return at(name, v1::StateValue::kDoubleValue).double_value();
}

std::string StateDict::get_string(std::string_view name) const {
  return at(name, v1::StateValue::kStringValue).string_value();
}

std::string StateDict::get_bytes(std::string_view name) const {
  return at(name, v1::StateValue::kBytesValue).bytes_value();
}

StateDict StateDict::get_dict(std::string_view name) const {
  return StateDict(at(name, v1::StateValue::kDict).dict());
}

std::map<std::string, double> StateDict::get_double_map(std::string_view name) const {
  std::map<std::string, double> map;
  const StateDict dict = get_dict(name);
  for (const auto& entry : dict.proto_.entries()) {
    map[entry.name()] = dict.get_double(entry.name());
  }
  return map;
}

std::vector<std::string> StateDict::get_strings(std::string_view name) const {
  std::vector<std::string> strings;
  for (const auto& value : at(name, v1::StateValue::kList).list().values()) {
    if (value.value_case() != v1::StateValue::kStringValue) {
      throw_wrong_type(name, v1::StateValue::kStringValue, value.value_case());
    }
    strings.push_back(value.string_value());
  }
  return strings;
}

std::vector<double> StateDict::get_doubles(std::string_view name) const {
  std::vector<double> doubles;
  for (const auto& value : at(name, v1::StateValue::kList).list().values()) {
    if (value.value_case() != v1::StateValue::kDoubleValue) {
      throw_wrong_type(name, v1::StateValue::kDoubleValue, value.value_case());
    }
    doubles.push_back(value.double_value());
  }
  return doubles;
}

std::string StateDict::to_json() const {
  return dict_to_json(proto_).dump();
}

}  // namespace troupe
