#pragma once

#include <iostream>
#include <sstream>
#include <string>

namespace troupe::testing {

/// Keeps what is written to std::cerr while it lives.
class CapturedStderr {
 public:
  CapturedStderr() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~CapturedStderr() { std::cerr.rdbuf(before_); }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

}  // namespace troupe::testing
