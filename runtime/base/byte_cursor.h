#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// Takes little-endian numbers and pieces off the front of bytes, and notices when they run out: then everything that
/// is taken is zero or empty, and ok() is false from there on.
class ByteCursor {
 public:
  explicit ByteCursor(ByteView bytes) : rest_(bytes) {}

  template <class Integer>
  Integer take() {
    const ByteView bytes = take_bytes(sizeof(Integer));
    return ok_ ? load_integer<Integer>(bytes.data()) : Integer{};
  }
  ByteView take_bytes(uint64_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) {
      return {};
    }
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  /// What stands before the next '\n', which is taken too.
  std::string_view take_line() {
    const auto end = text_of(rest_).find('\n');
    ok_ = ok_ && end != std::string_view::npos;
    const std::string_view line = text_of(take_bytes(ok_ ? end : 0));
    take_bytes(ok_ ? 1 : 0);
    return line;
  }

  bool ok() const { return ok_; }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
  bool ok_ = true;
};

/// Appends what ByteCursor::take takes.
template <class Integer>
void append_integer(std::string& bytes, Integer value) {
  bytes.append(text_of(std::as_bytes(std::span(&value, 1))));
}

}  // namespace troupe
