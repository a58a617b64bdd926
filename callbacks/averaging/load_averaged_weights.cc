#include "troupe/callbacks/averaging/load_averaged_weights.h"

#include "troupe/callbacks/averaging/averaged_weights.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/module/tensor_bytes.h"
#include "troupe/runtime/module/tensor_state.h"

namespace troupe {
namespace {

[[noreturn]] void refuse_to_load(const std::filesystem::path& checkpoint, const std::string& why) {
  throw ConfigError("load averaged weights from " + checkpoint.string() + ": " + why);
}

/// What an averaging callback keeps as "average".
StateDict average_in(const CheckpointData& data, const std::filesystem::path& checkpoint,
                     const std::string& state_key) {
  std::string keys;
  for (const auto& callback : data.callback_states) {
    if (callback.state_key() == state_key) {
      const StateDict state(callback.state());
      if (!state.contains("average")) {
        refuse_to_load(checkpoint, "the callback " + state_key + " keeps no average");
      }
      return state.get_dict("average");
    }
    keys.append(keys.empty() ? "" : ", ").append(callback.state_key());
  }
  refuse_to_load(checkpoint, "it has no callback '" + state_key + "'; it has " + (keys.empty() ? "none" : keys));
}

}  // namespace

void load_averaged_weights(torch::nn::Module& module, const std::filesystem::path& checkpoint,
                           const std::string& state_key) {
  CheckpointData data = read_checkpoint(checkpoint);
  const StateDict average = average_in(data, checkpoint, state_key);
  if (average.get_int("updates") == 0) {
    refuse_to_load(checkpoint, "the average of " + state_key + " had not begun");
  }
  restore_module(module, average.get_bool("swapped") ? to_snapshot(data).tensors : get_tensors(average, "tensors"));
}

}  // namespace troupe
