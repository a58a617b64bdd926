#include "troupe/deploy/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

/// Flags of the command and of the subcommands that were given.
void collect_flags(const CLI::App& app, std::vector<std::string>& flags) {
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      flags.push_back("--" + name);
    }
  }
  for (const CLI::App* command : app.get_subcommands()) {
    collect_flags(*command, flags);
  }
}

std::string describe_unexpected(const CLI::App& app) {
  const std::vector<std::string> unexpected = app.remaining(/*recurse=*/true);
  const auto flag =
      std::find_if(unexpected.begin(), unexpected.end(), [](const auto& word) { return word.starts_with('-'); });
  if (flag != unexpected.end()) {
    const std::string name = flag->substr(0, flag->find('='));
    std::vector<std::string> known;
    collect_flags(app, known);
    return "unknown flag '" + name + "'" + nearest(name, known) + "; --help lists them";
  }
  return unexpected.empty() ? "unexpected argument" : "unexpected argument '" + unexpected.front() + "'";
}

}  // namespace

OptionFlags::OptionFlags(CLI::App& app, std::string prefix, const std::vector<OptionInfo>& infos)
    : prefix_(std::move(prefix)) {
  for (const auto& info : infos) {
    const std::string name = "--" + (prefix_.empty() ? "" : prefix_ + ".") + info.name;
    CLI::Option* flag = app.add_option(name, CLI::callback_t(), info.help);
    flag->option_text(info.type + (info.required ? ", required" : " = " + info.default_value));
    flag->type_size(1)->group(prefix_.empty() ? "Options" : prefix_);
    flags_.emplace_back(info.name, flag);
  }
}

std::vector<std::pair<std::string, std::string>> OptionFlags::given() const {
  std::vector<std::pair<std::string, std::string>> given;
  for (const auto& [name, flag] : flags_) {
    if (flag->count() > 0) {
      given.emplace_back(name, flag->as<std::string>());
    }
  }
  return given;
}

std::optional<int> parse_arguments(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back.
  } catch (const CLI::Success& done) {                                          // --help and --version.
    return app.exit(done, std::cout, std::cerr);
  } catch (const CLI::ExtrasError&) {
    throw ConfigError(describe_unexpected(app));
  } catch (const CLI::ParseError& error) {
    throw ConfigError(error.what());
  }
  return std::nullopt;
}

}  // namespace troupe
