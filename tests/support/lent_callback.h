#pragma once

#include <memory>
#include <utility>

#include "tests/support/small_fit.h"

namespace troupe {

/// Adds a callback with Live hooks to a SmallFit, which lends it the loop at each of their events: ask_when() says
/// nothing there, and the RunState that the hooks see stays as it is. The callback, for reading.
template <class T>
std::shared_ptr<T> lend(SmallFit& fit, T callback) {
  const auto shared = std::make_shared<T>(std::move(callback));
  auto erased = make_callback(shared);
  fit.sink.lent |= erased->info().lives;
  fit.sink.live_callbacks.push_back(std::move(erased));
  return shared;
}

}  // namespace troupe
