#include "runtime/control.h"

namespace troupe {

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

}  // namespace troupe
