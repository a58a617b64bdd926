#include "troupe/runtime/callback/control.h"

#include <limits>
#include <utility>

#include "troupe/runtime/event/message_texts.h"

namespace troupe {
namespace {

/// 0 for what is out of range: the loop refuses it.
uint32_t to_count(int64_t value) {
  return value > 0 && value <= std::numeric_limits<uint32_t>::max() ? static_cast<uint32_t>(value) : 0;
}

void set_frozen(v1::SetFrozen& command, const std::vector<std::string>& parameters, bool frozen) {
  command.set_frozen(frozen);
  for (const auto& name : parameters) {
    command.add_parameters(name);
  }
}

}  // namespace

void Control::stop(std::string reason) {
  commands_.emplace_back().mutable_stop()->set_reason(std::move(reason));
}

void Control::withdraw_stop() {
  commands_.emplace_back().mutable_withdraw_stop();
}

void Control::set_learning_rate(double lr, std::string group) {
  auto* command = commands_.emplace_back().mutable_set_learning_rate();
  command->set_lr(lr);
  command->set_group(std::move(group));
}

void Control::log(std::string name, double value, bool prog_bar) {
  auto* command = commands_.emplace_back().mutable_log_metric();
  command->set_name(std::move(name));
  command->set_value(value);
  command->set_prog_bar(prog_bar);
}

void Control::log_learning_rates(const v1::LogLearningRates& how) {
  *commands_.emplace_back().mutable_log_learning_rates() = how;
}

void Control::save_checkpoint(const v1::SaveCheckpoint& what) {
  *commands_.emplace_back().mutable_save_checkpoint() = what;
}

void Control::remove_checkpoint(std::string path) {
  commands_.emplace_back().mutable_remove_checkpoint()->set_path(std::move(path));
}

void Control::set_momentum(double momentum, std::string group) {
  auto* command = commands_.emplace_back().mutable_set_momentum();
  command->set_momentum(momentum);
  command->set_group(std::move(group));
}

void Control::set_accumulation(int64_t batches) {
  commands_.emplace_back().mutable_set_accumulation()->set_batches(to_count(batches));
}

void Control::set_batch_size(int64_t samples) {
  commands_.emplace_back().mutable_set_batch_size()->set_samples(to_count(samples));
}

void Control::freeze(const std::vector<std::string>& parameters) {
  set_frozen(*commands_.emplace_back().mutable_set_frozen(), parameters, true);
}

void Control::unfreeze(const std::vector<std::string>& parameters) {
  set_frozen(*commands_.emplace_back().mutable_set_frozen(), parameters, false);
}

void Control::skip_epoch(std::string reason) {
  commands_.emplace_back().mutable_skip_epoch()->set_reason(std::move(reason));
}

void Control::pause(std::string reason) {
  commands_.emplace_back().mutable_pause()->set_reason(std::move(reason));
}

void Control::resume() {
  commands_.emplace_back().mutable_resume();
}

void Control::emit(v1::UserEvent event) {
  *commands_.emplace_back().mutable_custom()->mutable_event() = std::move(event);
}

std::vector<v1::Command> Control::take_commands() {
  for (auto& command : commands_) {
    repair_texts(command);
  }
  return std::exchange(commands_, {});
}

}  // namespace troupe
