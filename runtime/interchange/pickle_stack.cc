#include "troupe/runtime/interchange/pickle_stack.h"

#include <algorithm>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/pickle_reader.h"

namespace troupe {

void fail_pickle(const std::string& what) {
  throw CorruptionError("the pickle " + what);
}

PickleValue* PickleStack::push(PickleValue::Kind kind) {
  if (values_.size() >= kPickleValuesMax) {
    fail_pickle("has more than " + std::to_string(kPickleValuesMax) + " values, which is not allowed");
  }
  values_.emplace_back();
  values_.back().kind = kind;
  stack_.push_back(&values_.back());
  return stack_.back();
}

void PickleStack::push_long(ByteView bytes) {
  if (bytes.size() > sizeof(int64_t)) {
    push(PickleValue::Kind::kLong);
    return;
  }
  uint64_t value = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0} ? ~uint64_t{0} : 0;
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&value));
  push(PickleValue::Kind::kInt)->integer = static_cast<int64_t>(value);
}

PickleValue* PickleStack::top() {
  if (stack_.size() <= floor()) {
    fail_pickle("takes a value that is not there");
  }
  return stack_.back();
}

PickleValue* PickleStack::pop() {
  PickleValue* value = top();
  stack_.pop_back();
  return value;
}

PickleValue* PickleStack::pop_of(PickleValue::Kind kind) {
  PickleValue* value = pop();
  if (!value->is(kind)) {
    fail_pickle("has " + value->describe() + " where that is not allowed");
  }
  return value;
}

std::vector<const PickleValue*> PickleStack::pop_last(size_t count) {
  if (stack_.size() < floor() + count) {
    fail_pickle("takes values that are not there");
  }
  std::vector<const PickleValue*> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

std::vector<const PickleValue*> PickleStack::pop_to_mark() {
  if (marks_.empty()) {
    fail_pickle("has an end without a beginning");
  }
  auto items = pop_last(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

}  // namespace troupe
