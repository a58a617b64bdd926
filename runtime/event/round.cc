#include "troupe/runtime/event/round.h"

#include <algorithm>

#include "troupe/runtime/options/parameter_name.h"

namespace troupe {
namespace {

/// Place of a kind in the canonical order: that of the schema, but for checkpoints. A command and the one that takes it
/// back have one place, so of one sender's the later one wins.
int kind(const Decision& decision) {
  constexpr int kLast = 1 << 20;
  using v1::Command;
  switch (const auto command = decision.command.command_case()) {
    case Command::kWithdrawStop:
      return Command::kStop;
    case Command::kResume:
      return Command::kPause;
    default:
      return static_cast<int>(command) + (is_about_checkpoints(decision.command) ? kLast : 0);
  }
}

/// Whether two names of parameter groups mean a common one.
bool overlap(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() || a == b;
}

/// Whether two lists name a common parameter: the same one, or one below the other's prefix.
bool overlap(const v1::SetFrozen& a, const v1::SetFrozen& b) {
  for (const auto& x : a.parameters()) {
    for (const auto& y : b.parameters()) {
      if (names_parameter(x, y) || names_parameter(y, x)) {
        return true;
      }
    }
  }
  return false;
}

bool contradict_of_one_kind(const v1::Command& a, const v1::Command& b) {
  switch (a.command_case()) {
    case v1::Command::kSetLearningRate:
      return overlap(a.set_learning_rate().group(), b.set_learning_rate().group()) &&
             a.set_learning_rate().lr() != b.set_learning_rate().lr();
    case v1::Command::kSetMomentum:
      return overlap(a.set_momentum().group(), b.set_momentum().group()) &&
             a.set_momentum().momentum() != b.set_momentum().momentum();
    case v1::Command::kSetAccumulation:
      return a.set_accumulation().batches() != b.set_accumulation().batches();
    case v1::Command::kSetBatchSize:
      return a.set_batch_size().samples() != b.set_batch_size().samples();
    case v1::Command::kSetFrozen:
      return a.set_frozen().frozen() != b.set_frozen().frozen() && overlap(a.set_frozen(), b.set_frozen());
    case v1::Command::kLogMetric:
      return a.log_metric().name() == b.log_metric().name() && a.log_metric().value() != b.log_metric().value();
    case v1::Command::kLogLearningRates:
      return a.log_learning_rates().SerializeAsString() != b.log_learning_rates().SerializeAsString();
    case v1::Command::kSaveCheckpoint:
      return a.save_checkpoint().path() == b.save_checkpoint().path();
    default:
      return false;
  }
}

bool contradict(const v1::Command& a, const v1::Command& b) {
  if (a.command_case() == b.command_case()) {
    return contradict_of_one_kind(a, b);
  }
  if (a.has_remove_checkpoint() && b.has_save_checkpoint()) {
    return a.remove_checkpoint().path() == b.save_checkpoint().path();
  }
  if (a.has_save_checkpoint() && b.has_remove_checkpoint()) {
    return contradict(b, a);
  }
  return (a.has_pause() && b.has_resume()) || (a.has_resume() && b.has_pause());
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
      if (decisions[i].from != decisions[j].from && contradict(decisions[i].command, decisions[j].command)) {
        reasons[i] = "contradicts the " + std::string(command_name(decisions[j].command)) + " of " + decisions[j].from;
        break;
      }
    }
  }
  return reasons;
}

bool is_about_checkpoints(const v1::Command& command) {
  return command.has_save_checkpoint() || command.has_remove_checkpoint();
}

std::string_view command_name(const v1::Command& command) {
  const auto* reflection = command.GetReflection();
  const auto* field = reflection->GetOneofFieldDescriptor(command, command.GetDescriptor()->oneof_decl(0));
  return field == nullptr ? std::string_view("no command") : std::string_view(field->message_type()->name());
}

}  // namespace troupe
