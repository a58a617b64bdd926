#include <algorithm>
#include <charconv>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/interchange/npy_file.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

/// The Python dictionary of a header, as numpy.save writes it: three keys in alphabetical order.
class Dictionary {
 public:
  explicit Dictionary(std::string_view text) : text_(text) {}

  NpyHeader read() {
    NpyHeader header{};
    expect("{'descr': '");
    header.type = text_.substr(0, std::min(text_.find('\''), text_.size()));
    text_.remove_prefix(header.type.size());
    expect("', 'fortran_order': ");
    header.fortran_order = take("True");
    if (!header.fortran_order) {
      expect("False");
    }
    expect(", 'shape': (");
    while (!take(")")) {
      header.shape.push_back(number());
      if (header.shape.size() > kDimensionsMax || (!take(", ") && !take(",") && !text_.starts_with(')'))) {
        fail();
      }
    }
    expect(", }");
    if (!text_.ends_with('\n') || text_.find_first_not_of(' ') != text_.size() - 1) {
      fail();
    }
    return header;
  }

 private:
  bool take(std::string_view wanted) {
    const bool there = text_.starts_with(wanted);
    text_.remove_prefix(there ? wanted.size() : 0);
    return there;
  }
  void expect(std::string_view wanted) {
    if (!take(wanted)) {
      fail();
    }
  }
  int64_t number() {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) {
      fail();
    }
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return value;
  }
  [[noreturn]] void fail() const {
    throw CorruptionError("the header is not that of an array of simple elements, at \"" +
                          printable(text_.substr(0, text_.find('\n'))) + "\"");
  }

  std::string_view text_;
};

}  // namespace

NpyHeader read_npy_header(ByteView file) {
  ByteCursor cursor(file);
  const std::string_view magic = text_of(cursor.take_bytes(6));
  const auto major = cursor.take<uint8_t>();
  const auto minor = cursor.take<uint8_t>();
  const uint64_t length = major == 1 ? cursor.take<uint16_t>() : cursor.take<uint32_t>();
  if (!cursor.ok() || magic != "\x93NUMPY" || major < 1 || major > 3 || minor != 0) {
    throw CorruptionError("the first bytes are not those of an NPY file of version 1, 2 or 3");
  }
  const std::string_view text = text_of(cursor.take_bytes(length));
  if (!cursor.ok()) {
    throw CorruptionError("the header is cut short");
  }
  NpyHeader header = Dictionary(text).read();
  header.bytes = file.size() - cursor.rest().size();
  return header;
}

}  // namespace troupe
