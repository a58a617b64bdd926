#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/callback/callback_states.h"
#include "troupe/runtime/event/repeated_inputs.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

// Which callbacks a call of the Trainer has.

/// Throws ConfigError where one of them has this state key, or where it is not UTF-8.
void require_new_state_key(const Callbacks& callbacks, const std::string& key);

/// The Trainer's callbacks, with the module's own in the place of those of the same type, and those that the options
/// ask for; without loggers in a fast_dev_run. Throws ConfigError where the options forbid one of them.
Callbacks callbacks_of_run(Stage stage, Module& module, const Callbacks& given, const TrainerOptions& options);

/// Whether a Timer is among them.
bool has_timer(const Callbacks& callbacks);

/// Tells each callback where the run keeps its files, and lets it prepare its own. Throws what one of them throws.
void prepare_files(const Callbacks& callbacks, const std::filesystem::path& run_directory, Stage stage);

/// What clocks decided about callbacks whose states were saved under other keys is about their present keys afterwards.
void rename_callbacks(KnownInputs& known, const std::map<std::string, v1::CallbackState>& loaded);

}  // namespace troupe
