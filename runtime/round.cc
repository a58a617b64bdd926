#include "runtime/round.h"

#include <algorithm>

namespace troupe {
namespace {

/// Place of a kind in the canonical order. The schema numbers the commands in that order.
int kind(const Decision& decision) {
  return static_cast<int>(decision.command.command_case());
}

bool contradict(const Decision& a, const Decision& b) {
  if (a.command.has_set_learning_rate() && b.command.has_set_learning_rate()) {
    const auto& first = a.command.set_learning_rate();
    const auto& second = b.command.set_learning_rate();
    const bool overlap = first.group().empty() || second.group().empty() || first.group() == second.group();
    return overlap && first.lr() != second.lr();
  }
  if (a.command.has_log_metric() && b.command.has_log_metric()) {
    return a.command.log_metric().name() == b.command.log_metric().name() &&
           a.command.log_metric().value() != b.command.log_metric().value();
  }
  if (a.command.has_save_checkpoint() && b.command.has_save_checkpoint()) {
    return a.command.save_checkpoint().path() == b.command.save_checkpoint().path();
  }
  return false;
}

}  // namespace

void sort_canonically(std::vector<Decision>& decisions) {
  std::stable_sort(decisions.begin(), decisions.end(), [](const Decision& a, const Decision& b) {
    return kind(a) != kind(b) ? kind(a) < kind(b) : a.from < b.from;
  });
}

std::vector<std::string> find_contradictions(const std::vector<Decision>& decisions) {
  std::vector<std::string> reasons(decisions.size());
  for (size_t i = 0; i < decisions.size(); ++i) {
    for (size_t j = 0; j < decisions.size(); ++j) {
      if (decisions[i].from != decisions[j].from && contradict(decisions[i], decisions[j])) {
        reasons[i] = "contradicts the " + std::string(command_name(decisions[j].command)) + " of " + decisions[j].from;
        break;
      }
    }
  }
  return reasons;
}

std::string_view command_name(const v1::Command& command) {
  switch (command.command_case()) {
    case v1::Command::kStop:
      return "Stop";
    case v1::Command::kWithdrawStop:
      return "WithdrawStop";
    case v1::Command::kSetLearningRate:
      return "SetLearningRate";
    case v1::Command::kLogMetric:
      return "LogMetric";
    case v1::Command::kLogLearningRates:
      return "LogLearningRates";
    case v1::Command::kSaveCheckpoint:
      return "SaveCheckpoint";
    case v1::Command::kRemoveCheckpoint:
      return "RemoveCheckpoint";
    default:
      return "no command";
  }
}

}  // namespace troupe
