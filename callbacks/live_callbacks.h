#pragma once

#include "troupe/runtime/callback/callback_registry.h"

namespace troupe {

/// Adds the built-in callbacks that work on the live module, under their class names. They need LibTorch, and none of
/// them replays.
void register_live_callbacks(CallbackRegistry& registry);

}  // namespace troupe
