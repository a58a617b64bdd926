#include "troupe/runtime/callback/exception_text.h"

#include <cxxabi.h>

#include <exception>

#include "troupe/runtime/callback/callback.h"

namespace troupe {

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    const bool of_torch = readable_type_name(typeid(error)).starts_with("c10::");
    return of_torch ? text.substr(0, text.find("\nException raised from ")) : text;
  } catch (...) {
    return "an exception of type " + readable_type_name(*abi::__cxa_current_exception_type());
  }
}

}  // namespace troupe
