#include "troupe/runtime/event/run_state.h"

#include <algorithm>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/own.h"

namespace troupe {
RunState::RunState()
    : metrics_(std::make_shared<MetricMap>()),
      prog_bar_metrics_(std::make_shared<std::vector<std::string>>()),
      learning_rates_(std::make_shared<std::vector<v1::LearningRate>>()),
      votes_(std::make_shared<std::map<std::string, std::string>>()),
      checkpoints_(std::make_shared<std::vector<v1::CheckpointInfo>>()),
      fit_(std::make_shared<v1::FitStarted>()),
      frozen_parameters_(std::make_shared<std::vector<std::string>>()),
      lost_(std::make_shared<std::vector<std::string>>()) {}

void RunState::apply(const Event& event) {
  const uint64_t expected = event.has_run_resumed() ? event.run_resumed().from_seq() + 1 : seq_ + 1;
  if (event.seq() != expected) {
    throw CorruptionError("event log: expected seq " + std::to_string(expected) + ", found " +
                          std::to_string(event.seq()));
  }
  seq_ = event.seq();
  position_ = event.position();
  switch (event.body_case()) {
    case Event::kTrainBatchEnded:
      set_metrics(event.train_batch_ended().metrics());
      set_learning_rates(event.train_batch_ended().learning_rates());
      break;
    case Event::kTrainEpochEnded:
      set_metrics(event.train_epoch_ended().metrics());
      set_learning_rates(event.train_epoch_ended().learning_rates());
      epochs_completed_ = position_.epoch() + 1;
      break;
    case Event::kValidationBatchEnded:
      set_metrics(event.validation_batch_ended().metrics());
      break;
    case Event::kValidationEpochEnded:
      set_metrics(event.validation_epoch_ended().metrics());
      break;
    case Event::kValidationEnded:
      set_learning_rates(event.validation_ended().learning_rates());
      validations_ += sanity_checking() ? 0 : 1;
      break;
    case Event::kSanityCheckEnded:
      own(metrics_).clear();  // Lightning: what the sanity check logged is forgotten.
      own(prog_bar_metrics_).clear();
      break;
    case Event::kTestBatchEnded:
      set_metrics(event.test_batch_ended().metrics());
      break;
    case Event::kTestEpochEnded:
      set_metrics(event.test_epoch_ended().metrics());
      break;
    case Event::kCommandApplied:
      apply_command(event.command_applied());
      break;
    case Event::kCheckpointTaken:
    case Event::kCheckpointSaved:
    case Event::kCheckpointFailed:
    case Event::kCheckpointRemoved:
    case Event::kCheckpointLoaded:
      apply_checkpoint_event(event);
      break;
    default:
      apply_run_event(event);
  }
}

void RunState::apply_run_event(const Event& event) {
  switch (event.body_case()) {
    case Event::kRunStarted:
      incarnation_ = 1;
      run_stage_ = event.run_started().stage();
      break;
    case Event::kRunResumed:
      incarnation_ = event.run_resumed().incarnation();
      status_ = v1::RUN_STATUS_RUNNING;
      reason_.clear();
      own(lost_).clear();
      own(votes_).clear();  // Callbacks vote afresh.
      if (event.run_resumed().has_fit()) {
        set_fit(event.run_resumed().fit());
        const auto& resumed = event.run_resumed();
        accumulate_grad_batches_ =
            resumed.accumulate_grad_batches() > 0 ? resumed.accumulate_grad_batches() : accumulate_grad_batches_;
        batch_size_ = resumed.batch_size() > 0 ? resumed.batch_size() : batch_size_;
      }
      break;
    case Event::kRunEnded:
      status_ = event.run_ended().status();
      reason_ = event.run_ended().reason();
      own(lost_).assign(event.run_ended().lost().begin(), event.run_ended().lost().end());
      break;
    case Event::kCallbackDetached:
      own(votes_).erase(event.callback_detached().state_key());
      break;
    case Event::kFitStarted: {
      set_fit(event.fit_started());
      auto& rates = own(learning_rates_);
      rates.clear();
      for (const auto& group : fit_->param_groups()) {
        rates.emplace_back();
        rates.back().set_name(group.name());
        rates.back().set_value(group.lr());
      }
      break;
    }
    default:
      break;
  }
}

void RunState::apply_checkpoint_event(const Event& event) {
  if (event.has_checkpoint_taken()) {
    const auto& taken = event.checkpoint_taken();
    auto& checkpoints = own(checkpoints_);
    std::erase_if(checkpoints, [&](const auto& info) { return info.path() == taken.path(); });
    auto& info = checkpoints.emplace_back();
    info.set_path(taken.path());
    info.set_taken_seq(event.seq());
    info.set_epoch(event.position().epoch());
    info.set_global_step(event.position().global_step());
    info.set_monitor(taken.monitor());
    info.set_score(taken.score());
    info.set_best(taken.best());
    return;
  }
  if (event.has_checkpoint_removed()) {
    std::erase_if(own(checkpoints_),
                  [&](const auto& info) { return info.path() == event.checkpoint_removed().path(); });
    return;
  }
  if (event.has_checkpoint_loaded()) {  // Durable, though the event that says so may be superseded.
    if (auto* info = find_checkpoint(event.checkpoint_loaded().path())) {
      info->set_state(v1::CheckpointInfo::SAVED);
    }
    return;
  }
  const bool saved = event.has_checkpoint_saved();
  const auto& path = saved ? event.checkpoint_saved().path() : event.checkpoint_failed().path();
  const auto taken_seq = saved ? event.checkpoint_saved().taken_seq() : event.checkpoint_failed().taken_seq();
  auto* info = find_checkpoint(path);
  if (info != nullptr && info->taken_seq() == taken_seq) {
    info->set_state(saved ? v1::CheckpointInfo::SAVED : v1::CheckpointInfo::FAILED);
  }
}

void RunState::set_fit(const v1::FitStarted& facts) {
  auto& fit = own(fit_);
  fit = facts;
  fit.clear_modules();
  accumulate_grad_batches_ = fit.accumulate_grad_batches();
  batch_size_ = fit.batch_size();
}

void RunState::set_metrics(const google::protobuf::RepeatedPtrField<Metric>& metrics) {
  for (const auto& metric : metrics) {
    set_metric(metric.name(), metric.value(), metric.prog_bar());
  }
}

void RunState::set_metric(const std::string& name, double value, bool prog_bar) {
  own(metrics_)[name] = value;
  if (prog_bar && std::find(prog_bar_metrics_->begin(), prog_bar_metrics_->end(), name) == prog_bar_metrics_->end()) {
    own(prog_bar_metrics_).push_back(name);
  }
}

void RunState::set_learning_rates(const google::protobuf::RepeatedField<double>& rates) {
  if (rates.empty()) {
    return;
  }
  auto& known = own(learning_rates_);
  for (int i = 0; i < rates.size() && i < static_cast<int>(known.size()); ++i) {
    known[static_cast<size_t>(i)].set_value(rates[i]);
  }
}

v1::CheckpointInfo* RunState::find_checkpoint(const std::string& path) {
  auto& checkpoints = own(checkpoints_);
  const auto found =
      std::find_if(checkpoints.begin(), checkpoints.end(), [&](const auto& info) { return info.path() == path; });
  return found == checkpoints.end() ? nullptr : &*found;
}

std::optional<double> RunState::metric(std::string_view name) const {
  if (const auto found = metrics_->find(name); found != metrics_->end()) {
    return found->second;
  }
  for (const auto& rate : *learning_rates_) {
    if (rate.name() == name) {
      return rate.value();
    }
  }
  return std::nullopt;
}

std::string RunState::best_checkpoint() const {
  std::string best;
  std::string monitor;
  for (const auto& info : *checkpoints_) {
    if (info.best() && info.state() != v1::CheckpointInfo::FAILED && (best.empty() || info.monitor() == monitor)) {
      best = info.path();
      monitor = info.monitor();
    }
  }
  return best;
}

v1::RunState RunState::to_proto() const {
  v1::RunState proto;
  proto.set_seq(seq_);
  proto.set_incarnation(incarnation_);
  proto.set_status(status_);
  proto.set_reason(reason_);
  proto.set_run_stage(run_stage_);
  *proto.mutable_position() = position_;
  proto.set_epochs_completed(epochs_completed_);
  proto.set_validations(validations_);
  for (const auto& [name, value] : *metrics_) {
    auto* metric = proto.add_metrics();
    metric->set_name(name);
    metric->set_value(value);
    metric->set_prog_bar(std::find(prog_bar_metrics_->begin(), prog_bar_metrics_->end(), name) !=
                         prog_bar_metrics_->end());
  }
  for (const auto& rate : *learning_rates_) {
    *proto.add_learning_rates() = rate;
  }
  for (const auto& [from, reason] : *votes_) {
    auto* vote = proto.add_votes();
    vote->set_from(from);
    vote->set_reason(reason);
  }
  for (const auto& info : *checkpoints_) {
    *proto.add_checkpoints() = info;
  }
  *proto.mutable_fit() = *fit_;
  proto.set_accumulate_grad_batches(accumulate_grad_batches_);
  proto.set_batch_size(batch_size_);
  proto.set_paused(paused_);
  for (const auto& name : *frozen_parameters_) {
    proto.add_frozen_parameters(name);
  }
  proto.mutable_lost()->Assign(lost_->begin(), lost_->end());
  return proto;
}

RunState RunState::from_proto(const v1::RunState& proto) {
  RunState state;
  state.seq_ = proto.seq();
  state.incarnation_ = proto.incarnation();
  state.status_ = proto.status();
  state.reason_ = proto.reason();
  state.run_stage_ = proto.run_stage();
  state.position_ = proto.position();
  state.epochs_completed_ = proto.epochs_completed();
  state.validations_ = proto.validations();
  for (const auto& metric : proto.metrics()) {
    state.set_metric(metric.name(), metric.value(), metric.prog_bar());
  }
  state.learning_rates_->assign(proto.learning_rates().begin(), proto.learning_rates().end());
  for (const auto& vote : proto.votes()) {
    (*state.votes_)[vote.from()] = vote.reason();
  }
  state.checkpoints_->assign(proto.checkpoints().begin(), proto.checkpoints().end());
  *state.fit_ = proto.fit();
  state.accumulate_grad_batches_ = proto.accumulate_grad_batches();
  state.batch_size_ = proto.batch_size();
  state.paused_ = proto.paused();
  state.frozen_parameters_->assign(proto.frozen_parameters().begin(), proto.frozen_parameters().end());
  state.lost_->assign(proto.lost().begin(), proto.lost().end());
  return state;
}

std::string RunState::deterministic_bytes() const {
  v1::RunState proto = to_proto();
  proto.clear_seq();
  proto.clear_incarnation();
  proto.clear_status();
  proto.clear_reason();
  proto.clear_lost();
  proto.clear_checkpoints();
  return proto.SerializeAsString();
}

}  // namespace troupe
