#include "troupe/callbacks/common/measured.h"

#include "troupe/runtime/event/user_event.h"

namespace troupe {

v1::UserEvent measured_event(const Measurements& measurements) {
  v1::Measured measured;
  for (const auto& [name, value] : measurements) {
    auto& metric = *measured.add_metrics();
    metric.set_name(name);
    metric.set_value(value);
  }
  return make_user_event(measured);
}

}  // namespace troupe
