#include "troupe/runtime/callback/exception_text.h"

#include <c10/util/Exception.h>
#include <doctest/doctest.h>

#include <stdexcept>

using namespace troupe;

namespace {

template <class F>
std::string thrown_text(F thrower) {
  try {
    thrower();
  } catch (...) {
    return current_exception_text();
  }
  return "nothing thrown";
}

struct Odd {};

}  // namespace

TEST_CASE("an error of LibTorch's is told without its backtrace") {
  const std::string text = thrown_text([] { TORCH_CHECK(false, "shapes do not fit"); });
  CHECK(text == "shapes do not fit");
  try {
    TORCH_CHECK(false, "shapes do not fit");
  } catch (const c10::Error& error) {
    CHECK(text == error.what_without_backtrace());
    CHECK(text != error.what());
  }
}

TEST_CASE("another exception is told whole, and one that is no std::exception by its type") {
  const char* const text = "bad\nException raised from nowhere";
  CHECK(thrown_text([&] { throw std::runtime_error(text); }) == text);
  CHECK(thrown_text([] { throw Odd(); }).ends_with("Odd"));
  CHECK(thrown_text([] { throw 7; }) == "an exception of type int");
}
