#include "troupe/runtime/base/strict_json.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"

namespace troupe {
namespace {

/// Reads the text and says how far the parser has come: its events do not.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

class Checker : public nlohmann::json_sax<nlohmann::json> {
 public:
  Checker(std::string_view text, const std::string& what) : text_(text), what_(what), furthest_(text.data()) {}

  CountingIterator begin() { return {text_.data(), &furthest_}; }
  CountingIterator end() { return {text_.data() + text_.size(), &furthest_}; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }

  bool start_array(std::size_t) override {
    enter();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool start_object(std::size_t) override {
    enter();
    keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    --depth_;
    keys_.pop_back();
    return true;
  }
  bool key(string_t& key) override {
    if (!keys_.back().insert(key).second) {
      fail("the key '" + printable(key) + "' is there twice in one object");
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    std::string reason = error.what();
    reason.erase(0, reason.find("] ") + 2);  // "[json.exception.parse_error.101] "
    if (reason.starts_with("parse error")) {
      reason.erase(0, reason.find(": ") + 2);  // "parse error at line 1, column 2: "
    }
    fail(printable(reason));
  }

 private:
  void enter() {
    if (++depth_ > kJsonDepthMax) {
      fail("the value is nested deeper than " + std::to_string(kJsonDepthMax) + " levels, which is not allowed");
    }
  }

  [[noreturn]] void fail(const std::string& reason) const {
    std::string_view read = text_.substr(0, static_cast<std::size_t>(furthest_ - text_.data()));
    read.remove_suffix(read.ends_with('\n') ? 1 : 0);  // Where a word ends is only known one character later.
    const auto line = 1 + std::count(read.begin(), read.end(), '\n');
    const auto newline = read.rfind('\n');
    const auto column = newline == std::string_view::npos ? read.size() : read.size() - newline - 1;
    throw ConfigError(what_ + ": line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + reason);
  }

  std::string_view text_;
  const std::string& what_;
  const char* furthest_;
  std::size_t depth_ = 0;  // Of arrays and objects that are open.
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& what) {
  Checker checker(text, what);
  nlohmann::json::sax_parse(checker.begin(), checker.end(), &checker);
  return nlohmann::json::parse(text);
}

}  // namespace troupe
