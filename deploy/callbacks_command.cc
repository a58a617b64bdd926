#include "troupe/deploy/callbacks_command.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct CallbacksRequest {
  std::vector<std::string> types;
  bool json = false;
};

std::string value_of(const OptionInfo& option) {
  if (option.required &&
      (option.default_value.empty() || option.default_value == "none" || option.default_value == "[]")) {
    return "required";
  }
  return "= " + (option.default_value.empty() ? "\"\"" : option.default_value);
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width > text.size() ? width - text.size() : 0, ' ');
}

void print_callback(const std::string& type, const std::vector<OptionInfo>& options) {
  std::cout << type << '\n';
  size_t names = 0;
  size_t values = 0;
  for (const auto& option : options) {
    names = std::max(names, option.name.size());
    values = std::max(values, option.type.size() + 1 + value_of(option).size());
  }
  for (const auto& option : options) {
    std::cout << "  " << padded(option.name, names) << "  " << padded(option.type + " " + value_of(option), values)
              << "  " << option.help << '\n';
  }
}

nlohmann::ordered_json to_json(const std::string& type, const std::vector<OptionInfo>& options) {
  nlohmann::ordered_json described = {{"type", type}, {"options", nlohmann::ordered_json::array()}};
  for (const auto& option : options) {
    described["options"].push_back({{"name", option.name},
                                    {"type", option.type},
                                    {"default", option.default_value},
                                    {"required", option.required},
                                    {"allowed", option.allowed},
                                    {"help", option.help}});
  }
  return described;
}

int print_callbacks(const CallbacksRequest& request, const CallbackRegistry& registry) {
  const auto types = request.types.empty() ? registry.types() : request.types;
  for (const auto& type : types) {
    registry.options(type);  // Throws before anything is printed.
  }
  auto all = nlohmann::ordered_json::array();
  for (const auto& type : types) {
    if (request.json) {
      all.push_back(to_json(type, registry.options(type)));
    } else {
      std::cout << (type == types.front() ? "" : "\n");
      print_callback(type, registry.options(type));
    }
  }
  if (request.json) {
    std::cout << all.dump(2) << '\n';
  }
  return 0;
}

}  // namespace

void add_callbacks_command(CLI::App& app, const CallbackRegistry& registry, std::function<int()>& action) {
  auto* command = app.add_subcommand("callbacks", "list the callbacks that --callbacks files may name, with options");
  const auto request = std::make_shared<CallbacksRequest>();
  command->add_option("TYPE", request->types, "Only these");
  command->add_flag("--json", request->json, "One JSON array");
  command->callback(
      [request, &registry, &action] { action = [request, &registry] { return print_callbacks(*request, registry); }; });
}

}  // namespace troupe
