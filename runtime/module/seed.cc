#include "troupe/runtime/module/seed.h"

#include <ATen/Context.h>

#include <mutex>

#include "troupe/runtime/base/error.h"

namespace troupe {

void seed_everything(uint64_t seed) {
  at::manual_seed(seed);
}

at::Tensor default_rng_state(at::Device device) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  return generator.get_state();
}

void set_default_rng_state(const at::Tensor& state, at::Device device) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  try {
    generator.set_state(state);
  } catch (const c10::Error& error) {
    throw MismatchError("default random generator of " + device.str() +
                        ": cannot take this state: " + error.what_without_backtrace());
  }
}

}  // namespace troupe
