#include "runtime/autocast.h"

#include <ATen/autocast_mode.h>

namespace troupe {

AutocastGuard::AutocastGuard(Precision precision) : casts_(precision == Precision::kBf16Mixed) {
  if (casts_) {
    was_enabled_ = at::autocast::is_cpu_enabled();
    dtype_before_ = at::autocast::get_autocast_cpu_dtype();
    at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
    at::autocast::set_cpu_enabled(true);
    at::autocast::increment_nesting();
  }
}

AutocastGuard::~AutocastGuard() {
  if (casts_) {
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();  // Casted weights are of this step: the next one finds them changed.
    }
    at::autocast::set_cpu_enabled(was_enabled_);
    at::autocast::set_autocast_cpu_dtype(dtype_before_);
  }
}

}  // namespace troupe
