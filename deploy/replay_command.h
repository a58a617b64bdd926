#pragma once

#include <functional>

#include "troupe/runtime/callback/callback_registry.h"

namespace CLI {
class App;
}  // namespace CLI

namespace troupe {

/// Adds `replay RUN` to a command line, and stores into `action` what to do when it is chosen: it returns the exit
/// status. `registry` makes the callbacks, and must outlive the action. docs/replay.md says what it prints.
void add_replay_command(CLI::App& app, const CallbackRegistry& registry, std::function<int()>& action);

}  // namespace troupe
