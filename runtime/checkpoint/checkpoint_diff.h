#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

/// A tensor of both checkpoints, of one type and shape, with other elements. The figures are ElementComparison's.
struct TensorDifference {
  std::string name;
  std::string type;  ///< "float32 [2, 3]".
  uint64_t elements = 0;
  uint64_t differing = 0;
  double max_absolute = 0;
  double max_relative = 0;
};

/// Something that each of two checkpoints has in its own way: a tensor's type and shape, or a value of the small state.
struct ValueDifference {
  std::string name;
  std::string a;  ///< Empty: not there.
  std::string b;
};

struct CheckpointDiff {
  uint64_t tensors = 0;  ///< In both.
  std::vector<ValueDifference> tensors_only_in_one;
  std::vector<ValueDifference> tensors_of_other_type;
  std::vector<TensorDifference> tensors_differing;
  std::vector<ValueDifference> state;

  bool equal() const {
    return tensors_only_in_one.empty() && tensors_of_other_type.empty() && tensors_differing.empty() && state.empty();
  }
};

/// Compares all that training goes on from: every tensor (parameters, buffers, the optimizers' and the random
/// generator's among them), the position, the training state and the state of each callback, by name. Not compared:
/// what says where and when a checkpoint was taken (run, incarnation, seq, elapsed time, environment, origin) and the
/// RunState, which is the fold of the event log. Reads each file twice, in the memory of one record of each. Throws as
/// read_checkpoint.
CheckpointDiff diff_checkpoints(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace troupe
