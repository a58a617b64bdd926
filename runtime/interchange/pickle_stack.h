#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/interchange/pickle_value.h"

namespace troupe {

/// Throws CorruptionError: "the pickle <what>".
[[noreturn]] void fail_pickle(const std::string& what);

/// The stack of Python's pickle machine, with marks: nothing below the last mark can be taken. Taking what is not there
/// throws as fail_pickle does.
class PickleStack {
 public:
  /// `values` owns what is pushed, and outlives the stack.
  explicit PickleStack(std::deque<PickleValue>& values) : values_(values) {}

  /// A new value on top. Throws as fail_pickle where there are kPickleValuesMax.
  PickleValue* push(PickleValue::Kind kind);
  /// An integer in two's complement, little endian, of any length.
  void push_long(ByteView bytes);
  void push_tuple(std::vector<const PickleValue*> items) { push(PickleValue::Kind::kTuple)->items = std::move(items); }
  /// One that is there already.
  void push_shared(PickleValue* value) { stack_.push_back(value); }
  void mark() { marks_.push_back(stack_.size()); }

  PickleValue* top();
  PickleValue* pop();
  PickleValue* pop_of(PickleValue::Kind kind);
  /// The last values, the topmost last.
  std::vector<const PickleValue*> pop_last(size_t count);
  /// Those above the last mark, which is taken too.
  std::vector<const PickleValue*> pop_to_mark();

  /// Neither values nor marks.
  bool empty() const { return stack_.empty() && marks_.empty(); }

 private:
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::deque<PickleValue>& values_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // Heights of the stack.
};

}  // namespace troupe
