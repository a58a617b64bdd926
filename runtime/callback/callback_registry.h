#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "troupe/runtime/callback/typed_callback.h"
#include "troupe/runtime/options/options.h"

namespace troupe {

/// The callbacks that configuration files can name, each with its options. In such a file a callback is an object with
/// its type and the options to set: {"type": "EarlyStopping", "monitor": "val_loss", "patience": 5}. "policy" is an
/// object of CallbackPolicy's options, on top of the class's own. Not synchronised: fill it, then only read. Whoever
/// registers needs <nlohmann/json.hpp>.
class CallbackRegistry {
 public:
  /// Makes T known as `type`. T is constructed from an Options. Throws ConfigError when the name is taken.
  template <class T, DescribedOptions Options>
  requires std::constructible_from<T, Options>
  void register_callback(const std::string& type);
  /// Makes a T without options known.
  template <std::default_initializable T>
  void register_callback(const std::string& type);

  /// Registered names, sorted.
  std::vector<std::string> types() const;
  /// The options of a registered type. Throws ConfigError for one that is not.
  const std::vector<OptionInfo>& options(const std::string& type) const;

  /// Makes one callback. Throws ConfigError that opens with `where` and names the type and key that are wrong, and what
  /// is allowed.
  std::unique_ptr<Callback> make_callback(const nlohmann::json& config, const std::string& where = "callback") const;
  /// Makes those of an array, in its order. `where` names the array in errors: "callbacks.json[2]: EarlyStopping: ...".
  /// Whether two share a state key is for the run that gets them to say.
  std::vector<std::unique_ptr<Callback>> make_callbacks(const nlohmann::json& configs,
                                                        const std::string& where = "callbacks") const;
  /// The same array with every option written out. Same errors.
  nlohmann::json effective(const nlohmann::json& configs, const std::string& where = "callbacks") const;

 private:
  struct Entry {
    std::vector<OptionInfo> options;
    CallbackPolicy policy;  // The class's own.
    std::function<std::unique_ptr<Callback>(const std::string& owner, const nlohmann::json& options,
                                            const CallbackPolicy& policy)>
        make;
    std::function<nlohmann::json(const std::string& owner, const nlohmann::json& options)> effective;
  };
  /// One element of a configuration, taken apart.
  struct Request;

  struct NoOptions {
    void describe(OptionVisitor&) {}
  };

  template <class T, class Options, class Construct>
  void add(const std::string& type, Construct construct);
  void add_entry(const std::string& type, Entry entry);
  Request read(const nlohmann::json& config, const std::string& where) const;

  std::map<std::string, Entry> entries_;
};

template <class T, class Options, class Construct>
void CallbackRegistry::add(const std::string& type, Construct construct) {
  const auto read = [](const std::string& owner, const auto& json) {
    Options options;
    read_options(owner, options, json);
    return options;
  };
  add_entry(type, {.options = option_infos<Options>(),
                   .policy = callback_detail::class_policy<T>(),
                   .make =
                       [read, construct](const std::string& owner, const auto& json, const CallbackPolicy& policy) {
                         return troupe::make_callback(construct(read(owner, json)), std::string(), policy);
                       },
                   .effective = [read](const std::string& owner,
                                       const auto& json) { return options_to_json(read(owner, json)); }});
}

template <class T, DescribedOptions Options>
requires std::constructible_from<T, Options>
void CallbackRegistry::register_callback(const std::string& type) {
  add<T, Options>(type, [](Options options) { return std::make_shared<T>(std::move(options)); });
}

template <std::default_initializable T>
void CallbackRegistry::register_callback(const std::string& type) {
  add<T, NoOptions>(type, [](NoOptions) { return std::make_shared<T>(); });
}

}  // namespace troupe
