#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "troupe/runtime/callback/callback_registry.h"

namespace troupe {

/// Adds `callbacks [TYPE...] [--json]` to a program: what --callbacks files may name, with options, defaults and what
/// each means. Where it is called, `action` becomes what prints it and gives the exit status; it throws ConfigError for
/// a type that there is not. `registry` must outlive the action.
void add_callbacks_command(CLI::App& app, const CallbackRegistry& registry, std::function<int()>& action);

}  // namespace troupe
