#pragma once

#include <iostream>
#include <streambuf>

namespace troupe {

/// Keeps what hooks print out of a command's own output as long as it lives: what goes to std::cout and std::cerr is
/// dropped, or with `verbose` goes to standard error. Not for what is printed by other means than the streams.
class MutedOutput {
 public:
  explicit MutedOutput(bool verbose) : out_(std::cout.rdbuf()), error_(std::cerr.rdbuf()) {
    std::cout.rdbuf(verbose ? error_ : &nothing_);
    if (!verbose) {
      std::cerr.rdbuf(&nothing_);
    }
  }
  ~MutedOutput() {
    std::cout.rdbuf(out_);
    std::cerr.rdbuf(error_);
  }
  MutedOutput(const MutedOutput&) = delete;
  MutedOutput& operator=(const MutedOutput&) = delete;

  /// Where std::cout went before.
  std::streambuf* out() const { return out_; }

 private:
  class Nothing : public std::streambuf {
   protected:
    int overflow(int letter) override { return letter == traits_type::eof() ? 0 : letter; }
    std::streamsize xsputn(const char* /*text*/, std::streamsize size) override { return size; }
  };

  Nothing nothing_;
  std::streambuf* out_;
  std::streambuf* error_;
};

}  // namespace troupe
