#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "troupe/deploy/commands.h"
#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/checkpoint/checkpoint_diff.h"

namespace troupe {
namespace {

using nlohmann::ordered_json;

/// JSON has no infinity.
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(shortest_text(value));
}

ordered_json value_or_null(const std::string& value) {
  return value.empty() ? ordered_json() : ordered_json(value);
}

ordered_json to_json(const std::vector<ValueDifference>& values) {
  auto list = ordered_json::array();
  for (const auto& value : values) {
    list.push_back({{"name", value.name}, {"a", value_or_null(value.a)}, {"b", value_or_null(value.b)}});
  }
  return list;
}

ordered_json to_json(const CheckpointDiff& diff) {
  auto differing = ordered_json::array();
  for (const auto& tensor : diff.tensors_differing) {
    differing.push_back({{"name", tensor.name},
                         {"type", tensor.type},
                         {"elements", tensor.elements},
                         {"differing", tensor.differing},
                         {"max_absolute", number(tensor.max_absolute)},
                         {"max_relative", number(tensor.max_relative)}});
  }
  return {{"equal", diff.equal()},
          {"tensors", diff.tensors},
          {"tensors_only_in_one", to_json(diff.tensors_only_in_one)},
          {"tensors_of_other_type", to_json(diff.tensors_of_other_type)},
          {"tensors_differing", differing},
          {"state", to_json(diff.state)}};
}

std::string value_text(const std::string& value) {
  return value.empty() ? "not there" : one_line(value);
}

void print_differences(const char* what, const std::vector<ValueDifference>& values) {
  for (const auto& value : values) {
    std::cout << what << one_line(value.name) << ": " << value_text(value.a) << " | " << value_text(value.b) << '\n';
  }
}

void print_differences(const CheckpointDiff& diff) {
  print_differences("tensor  ", diff.tensors_only_in_one);
  print_differences("tensor  ", diff.tensors_of_other_type);
  for (const auto& tensor : diff.tensors_differing) {
    std::cout << "tensor  " << one_line(tensor.name) << ": " << tensor.type << ", " << tensor.differing << " of "
              << tensor.elements << " elements differ, by at most " << shortest_text(tensor.max_absolute)
              << ", relative " << shortest_text(tensor.max_relative) << '\n';
  }
  print_differences("state   ", diff.state);
  const auto alike = diff.tensors - diff.tensors_of_other_type.size() - diff.tensors_differing.size();
  std::cout << diff.tensors << " tensors in both, " << alike << " of them equal; " << diff.state.size()
            << " values of the state differ: " << (diff.equal() ? "equal" : "different") << '\n';
}

int run_diff(const std::string& a, const std::string& b, bool json) {
  const CheckpointDiff diff = diff_checkpoints(a, b);
  if (json) {
    std::cout << to_json(diff).dump() << '\n';
  } else {
    print_differences(diff);
  }
  return diff.equal() ? 0 : 1;
}

}  // namespace

void add_checkpoint_diff_command(CLI::App& checkpoint, Action& action) {
  auto* command = checkpoint.add_subcommand("diff", "Compare two checkpoints");
  auto a = std::make_shared<std::string>();
  auto b = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command->add_option("A", *a, "Checkpoint file")->required();
  command->add_option("B", *b, "Checkpoint file")->required();
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer(
      "Compares tensors, position, training state and callback states by name, bit for bit; what A has stands first.\n"
      "Not compared: where and when they were taken, and the RunState. Exit status: 0 equal, 1 different or damaged.\n"
      "Example:\n  troupe checkpoint diff epoch=1.ckpt epoch=2.ckpt");
  command->callback([=, &action] { action = [=] { return run_diff(*a, *b, *json); }; });
}

}  // namespace troupe
