#include "troupe/runtime/module/autocast.h"

#include <ATen/autocast_mode.h>

#include "troupe/runtime/module/torch_version.h"

namespace troupe {

AutocastGuard::AutocastGuard(Precision precision, at::DeviceType device)
    : casts_(precision == Precision::kBf16Mixed), device_(device) {
  if (casts_) {
    was_enabled_ = is_autocast_enabled(device_);
    dtype_before_ = autocast_dtype(device_);
    set_autocast(device_, true, at::kBFloat16);
    at::autocast::increment_nesting();
  }
}

AutocastGuard::~AutocastGuard() {
  if (casts_) {
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();  // Casted weights are of this step: the next one finds them changed.
    }
    set_autocast(device_, was_enabled_, dtype_before_);
  }
}

}  // namespace troupe
