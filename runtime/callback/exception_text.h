#pragma once

#include <string>

namespace troupe {

/// The text of the exception being handled, for messages and events: what(), without the backtrace that LibTorch's
/// errors carry, or "an exception of type T" if it is no std::exception. Call it inside a catch block only.
std::string current_exception_text();

}  // namespace troupe
