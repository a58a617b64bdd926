#include "troupe/callbacks/monitoring/lambda_callback.h"

namespace troupe {

EventTypeSet LambdaCallback::takes_events() const {
  EventTypeSet taken;
#define TROUPE_LAMBDA_TAKES(hook, Message) taken.set(EventTraits<Message>::kType, static_cast<bool>(hook));
  TROUPE_LAMBDA_HOOKS(TROUPE_LAMBDA_TAKES)
#undef TROUPE_LAMBDA_TAKES
  return taken;
}

}  // namespace troupe
