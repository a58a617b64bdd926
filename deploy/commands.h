#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "troupe/deploy/find_run.h"

namespace troupe {

/// What a command line asks for; run after all of it has been parsed. Returns the exit status.
using Action = std::function<int()>;

// Each adds its subcommand to the tool, and stores into `action` what to do when it is chosen.
void add_log_command(CLI::App& tool, Action& action);
void add_state_command(CLI::App& tool, Action& action);
void add_checkpoint_command(CLI::App& tool, Action& action);
// The same for the subcommands of `troupe log` and `troupe checkpoint` that have files of their own.
void add_log_diff_command(CLI::App& log, Action& action);
void add_checkpoint_diff_command(CLI::App& checkpoint, Action& action);
void add_checkpoint_exchange_commands(CLI::App& checkpoint, Action& action);

}  // namespace troupe
