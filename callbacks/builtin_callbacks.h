#pragma once

#include "troupe/runtime/callback/callback_registry.h"

namespace troupe {

/// Makes every callback of this folder known by its class name.
void register_builtin_callbacks(CallbackRegistry& registry);

}  // namespace troupe
