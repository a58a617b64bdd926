#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troupe/runtime/options/options.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace troupe {

/// The command line flags of one described struct, --<prefix>.<option>. They are collected while the line is parsed and
/// applied afterwards, because a configuration file is read in between: a flag wins over the file.
class OptionFlags {
 public:
  /// Adds the flags to `app`, with type, default and meaning in its --help. `app` must outlive this. With an empty
  /// prefix the flags are --<option>.
  OptionFlags(CLI::App& app, std::string prefix, const std::vector<OptionInfo>& infos);
  OptionFlags(const OptionFlags&) = delete;
  OptionFlags& operator=(const OptionFlags&) = delete;

  /// Sets what was given. Checks each value, not the whole: check_options is for when everything is set. Throws
  /// ConfigError.
  template <DescribedOptions Options>
  void apply(Options& options) const {
    for (const auto& [name, text] : given()) {
      set_option("--" + prefix_, options, name, text);
    }
  }
  /// The options that were given, with their text.
  std::vector<std::pair<std::string, std::string>> given() const;

 private:
  std::string prefix_;
  std::vector<std::pair<std::string, const CLI::Option*>> flags_;
};

/// Parses the arguments without the program's name. Returns the exit status if the program has nothing left to do
/// (--help and
/// --version: 0, after printing to standard output), nothing if it goes on. Throws ConfigError for a wrong command
/// line, naming the nearest flag for an unknown one.
std::optional<int> parse_arguments(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace troupe
