#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "troupe/actors/trainer.h"
#include "troupe/runtime/callback/callback_registry.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

/// A program's training: what troupe::run needs to give it a command line. Filled in by main(), once.
class Experiment {
 public:
  /// Options of the program's own, under a prefix: flags --<prefix>.<option>, and a section of the configuration file.
  struct OptionGroup {
    std::string prefix;
    std::vector<OptionInfo> infos;
    std::function<void(const nlohmann::json&)> read;
    std::function<void(const std::string& owner, const std::string& name, const std::string& text)> set;
    std::function<void()> check;
    std::function<nlohmann::json()> to_json;
  };

  /// `name` is the program's and the runs' (runs/<name>/<run id>); `description` opens its --help. All built-in
  /// callbacks are registered.
  Experiment(std::string name, std::string description);

  TrainerOptions trainer;  ///< The program's defaults.
  std::function<std::shared_ptr<Module>()>
      module;  ///< Makes the module; called with every option set and the seed in force.
  std::function<std::shared_ptr<DataModule>()> data;  ///< Makes the data module; the same.
  CallbackRegistry registry;                          ///< Register the program's own callbacks here.

  /// Adds options of the program's own; `options` must outlive run() and has its final values when `module` and `data`
  /// are called.
  template <DescribedOptions Options>
  void add_options(std::string prefix, Options& options) {
    groups_.push_back(
        {prefix, field_infos(option_fields(options)),
         [prefix, &options](const auto& json) { read_options(prefix, options, json); },
         [&options](const auto& owner, const auto& name, const auto& text) { set_option(owner, options, name, text); },
         [prefix, &options] { check_options(prefix, options); }, [&options] { return options_to_json(options); }});
  }

  /// Adds a callback that runs unless --callbacks or the configuration file name others. `type` must be registered.
  template <DescribedOptions Options>
  void add_callback(const std::string& type, const Options& options) {
    nlohmann::json config = options_to_json(options);
    config["type"] = type;
    callbacks_.push_back(std::move(config));
  }
  /// The same with its default options, or for a class that has none.
  void add_callback(const std::string& type) { callbacks_.push_back(nlohmann::json{{"type", type}}); }

  const std::string& name() const { return name_; }
  const std::string& description() const { return description_; }
  const std::vector<OptionGroup>& option_groups() const { return groups_; }
  const nlohmann::json& callbacks() const { return callbacks_; }

 private:
  std::string name_;
  std::string description_;
  std::vector<OptionGroup> groups_;
  nlohmann::json callbacks_ = nlohmann::json::array();
};

}  // namespace troupe
