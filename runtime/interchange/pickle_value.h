#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A value of a pickle. Values are shared, as in Python; the Pickle owns them.
struct PickleValue {
  enum class Kind {
    kNone,
    kBool,        ///< `integer`.
    kInt,         ///< `integer`.
    kLong,        ///< An integer beyond 64 bits, without its value.
    kFloat,       ///< Without its value: no state_dict needs it.
    kString,      ///< `text`.
    kTuple,       ///< `items`.
    kList,        ///< `items`.
    kDict,        ///< `items`: key, value, key, value, ...; an OrderedDict too.
    kGlobal,      ///< `text`: "torch.FloatStorage".
    kPersistent,  ///< `items`: what stands for an object outside the pickle.
    kCall,        ///< `text`: the global that is called; `items`: its arguments.
  };

  Kind kind = Kind::kNone;
  int64_t integer = 0;
  std::string text;
  std::vector<const PickleValue*> items;

  bool is(Kind wanted) const { return kind == wanted; }
  /// The last value under a key of a dict, as Python has it; nullptr if there is none.
  const PickleValue* find(std::string_view key) const;
  /// "an int", "a dict", "a call of torch._utils._rebuild_tensor_v2", ...
  std::string describe() const;
};

}  // namespace troupe
