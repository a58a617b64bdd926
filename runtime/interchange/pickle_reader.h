#pragma once

#include <deque>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/interchange/pickle_value.h"

namespace troupe {

/// Largest pickle that is read, in bytes and in values: that of some 200,000 tensors. A value takes up to 200 bytes of
/// memory, and what the pickle's machine remembers up to 16 times the pickle's bytes: 2 GiB at most.
inline constexpr size_t kPickleBytesMax = 64U << 20;
inline constexpr size_t kPickleValuesMax = 5'000'000;

/// The value in a pickle of protocol 2, as torch.save writes state_dicts. Runs nothing: it knows only the opcodes and
/// the globals that a state_dict of tensors needs (torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter,
/// collections.OrderedDict, torch's storages), and refuses all others by name. Its memory and time are in proportion to
/// the pickle. Throws CorruptionError, without the name of a file.
class Pickle {
 public:
  explicit Pickle(ByteView bytes);

  const PickleValue& root() const { return *root_; }

 private:
  std::deque<PickleValue> values_;
  const PickleValue* root_;
};

}  // namespace troupe
