#include "runtime/exception_text.h"

#include <c10/util/Exception.h>
#include <cxxabi.h>

#include <exception>

#include "runtime/callback.h"

namespace troupe {

std::string current_exception_text() {
  try {
    throw;
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of type " + readable_type_name(*abi::__cxa_current_exception_type());
  }
}

}  // namespace troupe
