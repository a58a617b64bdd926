#include "troupe/runtime/interchange/pickle_value.h"

#include <array>

namespace troupe {

const PickleValue* PickleValue::find(std::string_view key) const {
  for (size_t i = items.size(); is(Kind::kDict) && i >= 2; i -= 2) {
    if (items[i - 2]->is(Kind::kString) && items[i - 2]->text == key) {
      return items[i - 1];
    }
  }
  return nullptr;
}

std::string PickleValue::describe() const {
  constexpr std::array kNames = {"None",    "a bool", "an int", "an int", "a float",   "a string",
                                 "a tuple", "a list", "a dict", "",       "a storage", ""};
  switch (kind) {
    case Kind::kGlobal:
      return "the global " + text;
    case Kind::kCall:
      return "a call of " + text;
    default:
      return kNames[static_cast<size_t>(kind)];
  }
}

}  // namespace troupe
