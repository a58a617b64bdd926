#include "troupe/runtime/replay/replay_process.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "troupe/runtime/event/repeated_inputs.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {

void ReplayProcess::begin(const Callbacks& callbacks, const Event& opening, const RunState& run) {
  callbacks_.clear();
  due_.clear();
  std::map<std::string, v1::CallbackState> loaded;
  for (const auto& callback : callbacks) {
    callback->set_run_directory(scratch_);
  }
  landmarks_ahead_ = 0;
  if (opening.has_run_resumed()) {
    const auto& resumed = opening.run_resumed();
    landmarks_ahead_ = facts_ == nullptr ? 0 : facts_->landmarks_ahead(resumed.incarnation());
    if (!resumed.checkpoint().empty()) {
      loaded = load_states(callbacks, captured_);
    }
  }
  for (const auto& [key, state] : loaded) {  // What was decided about a callback of another key is about this one.
    for (auto& decision : decided_) {
      decision.set_state_key(decision.state_key() == state.state_key() ? key : decision.state_key());
    }
  }
  for (const auto& callback : callbacks) {
    const auto& key = callback->info().state_key;
    const auto state = loaded.find(key);
    ReplayedCallback::Start start{RunPaths{run_directory_}.events(), scratch_, run, std::nullopt, decided_for(key)};
    if (state != loaded.end()) {
      start.state = StateDict(state->second.state());
    }
    callbacks_.push_back(std::make_unique<ReplayedCallback>(callback, std::move(start), facts_));
  }
  std::set<std::string> keys;
  for (const auto& callback : callbacks) {
    keys.insert(callback->info().state_key);
  }
  state_keys_ = std::make_shared<const std::set<std::string>>(std::move(keys));
}

std::vector<v1::ClockDecision> ReplayProcess::decided_for(const std::string& state_key) const {
  std::vector<v1::ClockDecision> own;
  std::copy_if(decided_.begin(), decided_.end(), std::back_inserter(own),
               [&](const v1::ClockDecision& decision) { return decision.state_key() == state_key; });
  return own;
}

ReplayedCallback* ReplayProcess::find(const std::string& state_key) const {
  const auto found = std::find_if(callbacks_.begin(), callbacks_.end(),
                                  [&](const auto& callback) { return callback->info().state_key == state_key; });
  return found == callbacks_.end() ? nullptr : found->get();
}

ReplayProcess::Turn ReplayProcess::turn(ReplayedCallback& callback, const Event& event) {
  auto& schedule = callback.schedule();
  if (!schedule.has_clock(event.body_case())) {
    return schedule.wants(event) == AskSchedule::Answer::kNo ? Turn::kNo : Turn::kYes;
  }
  const auto due = due_.find(callback.info().state_key);
  if (due != due_.end() && due->second.event() == static_cast<uint32_t>(event.body_case())) {
    const auto answer = schedule.wants(event, DecidedBefore::kYes, due->second.elapsed_us());
    return answer == AskSchedule::Answer::kNo ? Turn::kNotDue : Turn::kYes;
  }
  const bool repeats = landmarks_ahead_ > 0;
  const auto answer = schedule.wants(event, repeats ? DecidedBefore::kNo : DecidedBefore::kUnknown, event.elapsed_us());
  if (answer == AskSchedule::Answer::kByClock) {
    return facts_ == nullptr ? Turn::kYes : Turn::kTooEarly;
  }
  return answer == AskSchedule::Answer::kYes ? Turn::kYes : Turn::kNo;
}

void ReplayProcess::note_decision(const v1::ClockDecision& decision) {
  if (decision.kind() == v1::ClockDecision::KIND_TRIGGER) {
    decided_.push_back(decision);
    due_[decision.state_key()] = decision;
  }
}

void ReplayProcess::pass(const Event& event) {
  std::erase_if(due_, [&](const auto& due) { return due.second.event() == static_cast<uint32_t>(event.body_case()); });
  if (landmarks_ahead_ > 0 && is_landmark(event.body_case())) {
    --landmarks_ahead_;
  }
}

SavedStates::States ReplayProcess::capture(const RunState& run) {
  SavedStates::States states;
  captured_.clear();
  for (const auto& callback : callbacks_) {
    if (auto state = callback->capture(run)) {
      auto& captured = captured_.emplace_back();
      captured.set_state_key(callback->info().state_key);
      captured.set_seq(run.seq());
      *captured.mutable_state() = state->proto();
      states[callback->info().state_key] = std::move(*state);
    }
  }
  return states;
}

}  // namespace troupe
