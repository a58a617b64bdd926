#include "troupe/runtime/callback/callback_registry.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/options/option_text.h"

namespace troupe {
namespace {

constexpr const char* kTypeKey = "type";
constexpr const char* kPolicyKey = "policy";

std::string element_name(const std::string& where, std::size_t index) {
  return where + "[" + std::to_string(index) + "]";
}

void check_array(const nlohmann::json& configs, const std::string& where) {
  if (!configs.is_array()) {
    throw ConfigError(where + ": must be a JSON array of callbacks, each {\"type\": ..., its options}, got " +
                      quote_json(configs));
  }
}

}  // namespace

struct CallbackRegistry::Request {
  std::string type;
  const Entry& entry;
  std::string owner;
  nlohmann::json options;
  std::optional<CallbackPolicy> policy;  // Where one is given.
};

void CallbackRegistry::add_entry(const std::string& type, Entry entry) {
  const auto& options = entry.options;
  for (const auto* key : {kTypeKey, kPolicyKey}) {
    if (std::any_of(options.begin(), options.end(), [&](const auto& option) { return option.name == key; })) {
      throw ConfigError("callback type '" + type + "' has an option '" + key +
                        "', which is every callback's in configuration files");
    }
  }
  if (!entries_.emplace(type, std::move(entry)).second) {
    throw ConfigError("callback type '" + type + "' is registered twice");
  }
}

std::vector<std::string> CallbackRegistry::types() const {
  std::vector<std::string> types;
  for (const auto& [type, entry] : entries_) {
    types.push_back(type);
  }
  return types;
}

const std::vector<OptionInfo>& CallbackRegistry::options(const std::string& type) const {
  const auto found = entries_.find(type);
  if (found == entries_.end()) {
    throw ConfigError("unknown callback type '" + type + "'" + suggest(type, types()));
  }
  return found->second.options;
}

CallbackRegistry::Request CallbackRegistry::read(const nlohmann::json& config, const std::string& where) const {
  if (!config.is_object() || !config.contains(kTypeKey) || !config[kTypeKey].is_string()) {
    throw ConfigError(where + ": must be a JSON object with a \"type\", a string, got " + quote_json(config));
  }
  const std::string type = config[kTypeKey];
  const auto found = entries_.find(type);
  if (found == entries_.end()) {
    throw ConfigError(where + ": unknown callback type '" + type + "'" + suggest(type, types()));
  }
  Request request{type, found->second, where + ": " + type, config, std::nullopt};
  request.options.erase(kTypeKey);
  if (request.options.contains(kPolicyKey)) {
    request.policy = found->second.policy;
    read_options(request.owner + ": policy", *request.policy, request.options[kPolicyKey]);
    request.options.erase(kPolicyKey);
  }
  return request;
}

std::unique_ptr<Callback> CallbackRegistry::make_callback(const nlohmann::json& config,
                                                          const std::string& where) const {
  const Request request = read(config, where);
  return request.entry.make(request.owner, request.options, request.policy.value_or(request.entry.policy));
}

std::vector<std::unique_ptr<Callback>> CallbackRegistry::make_callbacks(const nlohmann::json& configs,
                                                                        const std::string& where) const {
  check_array(configs, where);
  std::vector<std::unique_ptr<Callback>> callbacks;
  for (const auto& config : configs) {
    callbacks.push_back(make_callback(config, element_name(where, callbacks.size())));
  }
  return callbacks;
}

nlohmann::json CallbackRegistry::effective(const nlohmann::json& configs, const std::string& where) const {
  check_array(configs, where);
  nlohmann::json all = nlohmann::json::array();
  for (const auto& config : configs) {
    const Request request = read(config, element_name(where, all.size()));
    nlohmann::json options = request.entry.effective(request.owner, request.options);
    options[kTypeKey] = request.type;
    if (request.policy) {
      options[kPolicyKey] = options_to_json(*request.policy);
    }
    all.push_back(std::move(options));
  }
  return all;
}

}  // namespace troupe
