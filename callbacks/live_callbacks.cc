#include "troupe/callbacks/live_callbacks.h"

namespace troupe {

void register_live_callbacks(CallbackRegistry& /*registry*/) {}

}  // namespace troupe
