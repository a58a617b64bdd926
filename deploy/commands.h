#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>

#include "troupe/runtime/log/run_directory.h"

namespace troupe {

/// What a command line asks for; run after all of it has been parsed. Returns the exit status.
using Action = std::function<int()>;

// Each adds its subcommand to the tool, and stores into `action` what to do when it is chosen.
void add_log_command(CLI::App& tool, Action& action);
void add_state_command(CLI::App& tool, Action& action);
void add_checkpoint_command(CLI::App& tool, Action& action);
// The same for the subcommands of `troupe checkpoint` that have files of their own.
void add_checkpoint_diff_command(CLI::App& checkpoint, Action& action);
void add_checkpoint_exchange_commands(CLI::App& checkpoint, Action& action);

/// The paths of the run directory that a user named. Throws IoError, saying what is expected there, if it holds no
/// event log.
RunPaths find_run(const std::filesystem::path& root);

}  // namespace troupe
