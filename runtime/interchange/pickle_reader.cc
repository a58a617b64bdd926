#include "troupe/runtime/interchange/pickle_reader.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <unordered_map>

#include "troupe/runtime/base/byte_cursor.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/interchange/pickle_stack.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::array<std::string_view, 3> kCallable = {kOrderedDict, "torch._utils._rebuild_tensor_v2",
                                                       "torch._utils._rebuild_parameter"};

bool is_storage(std::string_view global) {
  constexpr std::string_view kModule = "torch.";
  return global.starts_with(kModule) &&
         find_dtype(&DTypeNames::storage, global.substr(kModule.size())) != v1::DTYPE_UNSPECIFIED;
}

/// Python's pickle machine: a stack with marks, and a memo.
class Machine {
 public:
  Machine(ByteView bytes, std::deque<PickleValue>& values) : cursor_(bytes), stack_(values) {}

  const PickleValue* run() {
    if (cursor_.rest().size() > kPickleBytesMax) {
      fail_pickle("has " + std::to_string(cursor_.rest().size()) + " bytes; at most " +
                  std::to_string(kPickleBytesMax) + " are allowed");
    }
    if (cursor_.take<uint8_t>() != 0x80 || cursor_.take<uint8_t>() != 2) {
      fail_pickle("is not of protocol 2, which torch.save writes by default");
    }
    for (auto opcode = take<uint8_t>(); opcode != '.'; opcode = take<uint8_t>()) {
      if (!constant(opcode) && !container(opcode) && !memo(opcode) && !object(opcode)) {
        std::array<char, 8> hex{};
        std::snprintf(hex.data(), hex.size(), "0x%02x", static_cast<unsigned>(opcode));
        fail_pickle(std::string("has the opcode ") + hex.data() +
                    ", which no state_dict of tensors needs; it is not allowed");
      }
    }
    const PickleValue* root = stack_.pop();
    if (!stack_.empty() || !cursor_.rest().empty()) {
      fail_pickle("does not end where its value does");
    }
    return root;
  }

 private:
  bool constant(uint8_t opcode) {
    switch (opcode) {
      case 'N':
        stack_.push(Kind::kNone);
        return true;
      case 0x88:
      case 0x89:
        stack_.push(Kind::kBool)->integer = opcode == 0x88 ? 1 : 0;
        return true;
      case 'K':
        stack_.push(Kind::kInt)->integer = take<uint8_t>();
        return true;
      case 'M':
        stack_.push(Kind::kInt)->integer = take<uint16_t>();
        return true;
      case 'J':
        stack_.push(Kind::kInt)->integer = take<int32_t>();
        return true;
      case 0x8a:
        stack_.push_long(take_bytes(take<uint8_t>()));
        return true;
      case 'G':
        take_bytes(sizeof(double));
        stack_.push(Kind::kFloat);
        return true;
      case 'X':
        push_string(text_of(take_bytes(take<uint32_t>())));
        return true;
      default:
        return false;
    }
  }

  bool container(uint8_t opcode) {
    switch (opcode) {
      case '(':
        stack_.mark();
        return true;
      case ')':
        stack_.push(Kind::kTuple);
        return true;
      case ']':
        stack_.push(Kind::kList);
        return true;
      case '}':
        stack_.push(Kind::kDict);
        return true;
      case 0x85:
      case 0x86:
      case 0x87:
      case 't':
        stack_.push_tuple(opcode == 't' ? stack_.pop_to_mark() : stack_.pop_last(opcode - 0x84U));
        return true;
      case 'a':
      case 'e':
        extend(Kind::kList, opcode == 'a' ? stack_.pop_last(1) : stack_.pop_to_mark());
        return true;
      case 's':
      case 'u':
        extend(Kind::kDict, opcode == 's' ? stack_.pop_last(2) : stack_.pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  bool memo(uint8_t opcode) {
    switch (opcode) {
      case 'q':
      case 'r':
        memo_[opcode == 'q' ? take<uint8_t>() : take<uint32_t>()] = stack_.top();
        return true;
      case 'h':
      case 'j':
        recall(opcode == 'h' ? take<uint8_t>() : take<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  bool object(uint8_t opcode) {
    switch (opcode) {
      case 'c':
        push_global();
        return true;
      case 'R':
        call();
        return true;
      case 'Q':
        push_with_items(Kind::kPersistent, stack_.pop_of(Kind::kTuple));
        return true;
      case 'b':  // Attributes of an OrderedDict: state_dicts have _metadata, which says nothing of tensors.
        stack_.pop_of(Kind::kDict);
        if (!stack_.top()->is(Kind::kDict)) {
          fail_pickle("sets attributes of " + stack_.top()->describe() + "; only those of an OrderedDict are allowed");
        }
        return true;
      default:
        return false;
    }
  }

  void push_global() {
    const std::string module(cursor_.take_line());
    const std::string name(cursor_.take_line());
    check_end();
    const std::string global = module + "." + name;
    if (std::find(kCallable.begin(), kCallable.end(), global) == kCallable.end() && !is_storage(global)) {
      fail_pickle(
          "names the global '" + printable(global) +
          "', which is not allowed; allowed are collections.OrderedDict, torch._utils._rebuild_tensor_v2, "
          "torch._utils._rebuild_parameter and torch's storages of the types that Troupe has: nothing but a state_dict "
          "of dense tensors");
    }
    stack_.push(Kind::kGlobal)->text = global;
  }

  void call() {
    const PickleValue* arguments = stack_.pop_of(Kind::kTuple);
    const PickleValue* callable = stack_.pop_of(Kind::kGlobal);
    if (callable->text == kOrderedDict && arguments->items.empty()) {
      stack_.push(Kind::kDict);
      return;
    }
    if (callable->text == kOrderedDict || is_storage(callable->text)) {
      fail_pickle("calls " + callable->text + " with arguments that are not allowed");
    }
    push_with_items(Kind::kCall, arguments)->text = callable->text;
  }

  /// Few items: those of a tuple that is used again and again are copied each time.
  PickleValue* push_with_items(Kind kind, const PickleValue* tuple) {
    constexpr size_t kItemsMax = 8;
    if (tuple->items.size() > kItemsMax) {
      fail_pickle("has a call with " + std::to_string(tuple->items.size()) + " arguments, which is not allowed");
    }
    PickleValue* value = stack_.push(kind);
    value->items = tuple->items;
    return value;
  }

  void push_string(std::string_view text) {
    if (!is_utf8(text)) {
      fail_pickle("has a string that is no UTF-8");
    }
    stack_.push(Kind::kString)->text = text;
  }

  void extend(Kind kind, const std::vector<const PickleValue*>& items) {
    PickleValue* into = stack_.top();
    if (!into->is(kind) || (kind == Kind::kDict && items.size() % 2 != 0)) {
      fail_pickle("adds items to " + into->describe());
    }
    into->items.insert(into->items.end(), items.begin(), items.end());
  }

  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      fail_pickle("refers to a value that it does not have");
    }
    stack_.push_shared(found->second);
  }

  template <class Integer>
  Integer take() {
    const auto value = cursor_.take<Integer>();
    check_end();
    return value;
  }
  ByteView take_bytes(uint64_t size) {
    const ByteView bytes = cursor_.take_bytes(size);
    check_end();
    return bytes;
  }
  void check_end() const {
    if (!cursor_.ok()) {
      fail_pickle("is cut short");
    }
  }

  ByteCursor cursor_;
  PickleStack stack_;
  std::unordered_map<uint32_t, PickleValue*> memo_;
};

}  // namespace

Pickle::Pickle(ByteView bytes) : root_(Machine(bytes, values_).run()) {}

}  // namespace troupe
