#include "troupe/runtime/checkpoint/checkpoint_diff.h"

#include <algorithm>
#include <map>

#include "troupe/runtime/checkpoint/checkpoint_tensors.h"
#include "troupe/runtime/checkpoint/element_comparison.h"
#include "troupe/runtime/event/message_fields.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

using Fields = std::map<std::string, std::string>;

constexpr uint64_t kPieceBytes = 1U << 20;  // Whole elements of every type.

std::string type_text(const v1::TensorInfo& info) {
  return std::string(dtype_names(info.dtype()).name) + " " + shape_text(shape_of(info));
}

std::map<std::string, int> indices_by_name(const v1::CheckpointHeader& header) {
  std::map<std::string, int> indices;
  for (int i = 0; i < header.tensors_size(); ++i) {
    indices[header.tensors(i).name()] = i;
  }
  return indices;
}

/// Values of `a` and `b` by name, as far as they are not the same.
std::vector<ValueDifference> differences(const Fields& a, const Fields& b) {
  std::vector<ValueDifference> found;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second != value) {
      found.push_back({name, value, other == b.end() ? "" : other->second});
    }
  }
  for (const auto& [name, value] : b) {
    if (!a.contains(name)) {
      found.push_back({name, "", value});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  return found;
}

/// What is compared of everything but the tensors.
Fields small_fields(const CheckpointData& data) {
  Fields fields = message_fields(data.header.position(), "position");
  fields["weights_only"] = data.header.weights_only() ? "true" : "false";
  if (data.training_state) {
    v1::TrainingState state = *data.training_state;
    state.mutable_loop()->clear_last_validation_us();  // Elapsed time.
    fields.merge(message_fields(state, ""));
  }
  for (const auto& callback : data.callback_states) {
    const std::string name = "callbacks[" + callback.state_key() + "]";
    fields[name] = "there";
    fields.merge(message_fields(callback.state(), name));
  }
  return fields;
}

class TensorDiff {
 public:
  TensorDiff(CheckpointTensors& a, CheckpointTensors& b, CheckpointDiff& diff) : a_(a), b_(b), diff_(diff) {}

  void compare() {
    auto in_b = indices_by_name(b_.header());
    for (const auto& [name, index] : indices_by_name(a_.header())) {
      const auto& info = a_.header().tensors(index);
      const auto other = in_b.find(name);
      if (other == in_b.end()) {
        diff_.tensors_only_in_one.push_back({name, type_text(info), ""});
        continue;
      }
      compare_one(info, index, other->second);
      in_b.erase(other);
    }
    for (const auto& [name, index] : in_b) {
      diff_.tensors_only_in_one.push_back({name, "", type_text(b_.header().tensors(index))});
    }
  }

 private:
  void compare_one(const v1::TensorInfo& info, int in_a, int in_b) {
    ++diff_.tensors;
    const std::string type = type_text(info);
    const std::string other_type = type_text(b_.header().tensors(in_b));
    if (type != other_type) {
      diff_.tensors_of_other_type.push_back({info.name(), type, other_type});
      return;
    }
    ElementComparison comparison(info.dtype());
    for (uint64_t offset = 0; offset < info.bytes(); offset += kPieceBytes) {
      const uint64_t size = std::min(kPieceBytes, info.bytes() - offset);
      piece_a_.resize(size);
      piece_b_.resize(size);
      a_.read(static_cast<size_t>(in_a), offset, piece_a_);
      b_.read(static_cast<size_t>(in_b), offset, piece_b_);
      comparison.add(piece_a_, piece_b_);
    }
    if (comparison.differing() != 0) {
      diff_.tensors_differing.push_back({info.name(), type, info.bytes() / dtype_bytes(info.dtype()),
                                         comparison.differing(), comparison.max_absolute(), comparison.max_relative()});
    }
  }

  CheckpointTensors& a_;
  CheckpointTensors& b_;
  CheckpointDiff& diff_;
  std::vector<std::byte> piece_a_;
  std::vector<std::byte> piece_b_;
};

}  // namespace

CheckpointDiff diff_checkpoints(const std::filesystem::path& a, const std::filesystem::path& b) {
  CheckpointTensors tensors_a(a);
  CheckpointTensors tensors_b(b);
  CheckpointDiff diff;
  TensorDiff(tensors_a, tensors_b, diff).compare();
  diff.state = differences(small_fields(tensors_a.small_state()), small_fields(tensors_b.small_state()));
  return diff;
}

}  // namespace troupe
