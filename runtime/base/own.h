#pragma once

#include <memory>

namespace troupe {

/// The table to change: a fresh copy when another owner shares it.
template <class T>
T& own(std::shared_ptr<T>& shared) {
  if (shared.use_count() > 1) {
    shared = std::make_shared<T>(*shared);
  }
  return *shared;
}

}  // namespace troupe
