#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback.h"
#include "troupe/runtime/module/module.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

// Which callbacks a call of the Trainer has.

using Callbacks = std::vector<std::shared_ptr<Callback>>;

/// Throws ConfigError where one of them has this state key, or where it is not UTF-8.
void require_new_state_key(const Callbacks& callbacks, const std::string& key);

/// The Trainer's callbacks, with the module's own in the place of those of the same type, and those that the options
/// ask for; without loggers in a fast_dev_run. Throws ConfigError where the options forbid one of them.
Callbacks callbacks_of_run(Stage stage, Module& module, const Callbacks& given, const TrainerOptions& options);

/// Whether a Timer is among them.
bool has_timer(const Callbacks& callbacks);

/// Gives each callback its state of a checkpoint; what was loaded, by state key. States without a callback are reported
/// on standard error.
std::map<std::string, v1::CallbackState> load_states(const Callbacks& callbacks,
                                                     const std::vector<v1::CallbackState>& states);

}  // namespace troupe
