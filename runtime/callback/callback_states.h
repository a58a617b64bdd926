#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "troupe/runtime/callback/callback.h"

namespace troupe {

using Callbacks = std::vector<std::shared_ptr<Callback>>;

/// Gives each callback its state of a checkpoint, by its state key; then each state whose key no callback has to the
/// only callback without one that takes it (takes_state_of), if there is one. What was loaded, by the present state
/// keys; each still has the key that it was saved under. States that nobody takes are reported on standard error.
std::map<std::string, v1::CallbackState> load_states(const Callbacks& callbacks,
                                                     const std::vector<v1::CallbackState>& states);

}  // namespace troupe
