#include "troupe/runtime/replay/saved_states.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/checkpoint/checkpoint_scan.h"
#include "troupe/runtime/event/message_fields.h"

namespace troupe {
namespace {

constexpr size_t kPastMax = 8;
constexpr size_t kDifferencesMax = 4;

std::vector<v1::CallbackState> read_callback_states(const std::filesystem::path& file) {
  std::vector<v1::CallbackState> states;
  CheckpointScan scan(file);
  while (scan.next()) {
    if (scan.record_case() == v1::CheckpointRecord::kCallbackState) {
      states.push_back(scan.record().callback_state());
    }
  }
  return states;
}

void add_difference(std::string& line, const std::string& name, const std::string* value) {
  line.append(line.empty() ? "" : ", ").append(name).append("=").append(value == nullptr ? "none" : *value);
}

}  // namespace

std::pair<std::string, std::string> state_differences(const StateDict& recorded, const StateDict& replayed) {
  const auto a = message_fields(recorded.proto(), "state");
  const auto b = message_fields(replayed.proto(), "state");
  std::set<std::string> names;
  for (const auto* fields : {&a, &b}) {
    for (const auto& [name, value] : *fields) {
      names.insert(name);
    }
  }
  std::pair<std::string, std::string> lines;
  size_t shown = 0;
  for (const auto& name : names) {
    const auto left = a.find(name);
    const auto right = b.find(name);
    const std::string* left_value = left == a.end() ? nullptr : &left->second;
    const std::string* right_value = right == b.end() ? nullptr : &right->second;
    const bool same = left_value != nullptr && right_value != nullptr && *left_value == *right_value;
    if (!same && shown < kDifferencesMax) {
      ++shown;
      add_difference(lines.first, name, left_value);
      add_difference(lines.second, name, right_value);
    }
  }
  return lines;
}

const StateDict* SavedStates::state_at(uint64_t seq, const std::string& state_key) const {
  const auto past = std::find_if(past_.begin(), past_.end(), [&](const Past& one) { return one.seq == seq; });
  if (past == past_.end()) {
    return nullptr;
  }
  const auto state = past->states.find(state_key);
  return state == past->states.end() ? nullptr : &state->second;
}

size_t SavedStates::compare(const Event& taken, uint32_t incarnation, const States& states, const Report& report) {
  past_.push_back({taken.seq(), states});
  if (past_.size() > kPastMax) {
    past_.pop_front();
  }
  const auto file = run_directory_ / taken.checkpoint_taken().path();
  std::error_code ignored;
  if (states.empty() || !std::filesystem::is_regular_file(file, ignored)) {
    return 0;
  }
  const auto header = read_checkpoint_header(file);
  if (header.weights_only() || header.seq() != taken.seq() || header.incarnation() != incarnation) {
    return 0;
  }
  size_t equal = 0;
  for (const auto& saved : read_callback_states(file)) {
    const StateDict* replayed = state_at(saved.seq(), saved.state_key());
    if (replayed == nullptr) {
      continue;
    }
    const StateDict recorded(saved.state());
    if (recorded.proto().SerializeAsString() == replayed->proto().SerializeAsString()) {
      ++equal;
      continue;
    }
    const auto [a, b] = state_differences(recorded, *replayed);
    report({taken.seq(), taken.position(), saved.state_key(), a, b});
  }
  return equal;
}

}  // namespace troupe
