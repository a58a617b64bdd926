#include "troupe/runtime/replay/replayed_round.h"

#include <algorithm>
#include <utility>

#include "troupe/runtime/event/round.h"
#include "troupe/runtime/replay/decision_text.h"

namespace troupe {
namespace {

constexpr char kNothing[] = "nothing";
constexpr char kContradicts[] = "contradicts the ";

struct RecordedDecision {
  const std::string& from;
  const v1::Command& command;
  std::string refusal;
};

RecordedDecision read_decision(const Event& event) {
  if (event.has_command_applied()) {
    return {event.command_applied().from(), event.command_applied().command(), {}};
  }
  const auto& refused = event.command_refused();
  return {refused.from(), refused.command(), refused.reason()};
}

bool same_command(const v1::Command& a, const v1::Command& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

bool ends_rounds(const Event& event) {
  switch (event.body_case()) {
    case Event::kCommandApplied:
    case Event::kCommandRefused:
    case Event::kUserEvent:
    case Event::kCheckpointTaken:
    case Event::kInputRecorded:
      return false;
    case Event::kRunEnded:
      return true;
    default:
      return !event_info(event.body_case()).environmental;
  }
}

void ReplayedRound::add(const CallbackInfo& info, ReplayedAnswer answer, const std::string& failed_at) {
  if (answer.error) {
    errors_[info.state_key] = "callback " + info.state_key + " failed at " + failed_at + ": " + *answer.error;
    return;
  }
  for (auto& command : answer.commands) {
    expected_.push_back({{info.state_key, info.type, std::move(command)}, {}});
  }
}

void ReplayedRound::complete() {
  if (!errors_.empty()) {  // The round fails as a whole.
    expected_.clear();
  }
  std::vector<Decision> decisions;
  for (auto& expected : expected_) {
    decisions.push_back(std::move(expected.decision));
  }
  sort_canonically(decisions);
  expected_.clear();
  for (auto& decision : decisions) {
    expected_.push_back({std::move(decision), {}});
  }
}

void ReplayedRound::drop(const std::string& state_key) {
  std::erase_if(expected_, [&](const Expected& expected) { return expected.decision.from == state_key; });
  errors_.erase(state_key);
}

void ReplayedRound::settle_contradictions() {
  if (std::exchange(settled_, true)) {
    return;
  }
  std::vector<Decision> decisions;
  for (const auto& expected : expected_) {
    decisions.push_back(expected.decision);
  }
  const auto reasons = find_contradictions(decisions);
  for (size_t i = 0; i < reasons.size(); ++i) {
    expected_[i].contradiction = reasons[i];
  }
}

Divergence ReplayedRound::divergence(const std::string& callback, std::string recorded, std::string replayed) const {
  return {seq_, position_, callback, std::move(recorded), std::move(replayed)};
}

void ReplayedRound::report_missing(const Expected& expected, const Report& report) const {
  report(divergence(expected.decision.from, kNothing, decision_text(expected.decision.command)));
}

bool ReplayedRound::agrees(const Expected& expected, const Event& recorded, const Report& report) const {
  const auto found = read_decision(recorded);
  const bool contradicted = found.refusal.starts_with(kContradicts);
  const bool by_one_of_ours =
      contradicted && std::any_of(senders_->begin(), senders_->end(),
                                  [&](const std::string& key) { return found.refusal.ends_with(" of " + key); });
  const bool refused_as_replayed = expected.contradiction.empty() ? !by_one_of_ours : !found.refusal.empty();
  if (!refused_as_replayed) {
    const std::string replayed = decision_text(expected.decision.command);
    report(divergence(found.from, decision_text(recorded),
                      expected.contradiction.empty() ? replayed : replayed + ", refused: " + expected.contradiction));
  }
  return refused_as_replayed;
}

bool ReplayedRound::match(const Event& applied_or_refused, const Report& report) {
  settle_contradictions();
  any_recorded_ = true;
  const auto found = read_decision(applied_or_refused);
  const auto is_same = [&](const Expected& expected) {
    return expected.decision.from == found.from && same_command(expected.decision.command, found.command);
  };
  auto place = std::find_if(expected_.begin(), expected_.end(), is_same);
  if (place != expected_.end()) {
    std::for_each(expected_.begin(), place, [&](const Expected& missing) { report_missing(missing, report); });
    const Expected expected = *place;
    expected_.erase(expected_.begin(), place + 1);
    return agrees(expected, applied_or_refused, report);
  }
  std::string replayed = kNothing;
  const auto other = std::find_if(expected_.begin(), expected_.end(), [&](const Expected& expected) {
    return expected.decision.from == found.from &&
           expected.decision.command.command_case() == found.command.command_case();
  });
  if (other != expected_.end()) {
    replayed = decision_text(other->decision.command);
    expected_.erase(other);
  } else if (const auto error = errors_.find(found.from); error != errors_.end()) {
    replayed = error->second;
    errors_.erase(error);
  }
  report(divergence(found.from, decision_text(applied_or_refused), replayed));
  return false;
}

bool ReplayedRound::match_failure(const v1::ExceptionRaised& raised, const Report& report) {
  for (const auto& [key, error] : errors_) {
    if (raised.message() == error) {
      errors_.clear();
      expected_.clear();
      return true;
    }
  }
  const bool in_a_callback = raised.type() == "CallbackError" && raised.message().starts_with("callback ");
  for (const auto& key : *senders_) {
    const std::string start = "callback " + key + " failed at ";
    if (in_a_callback && raised.message().starts_with(start)) {
      std::string replayed = kNothing;
      for (const auto& expected : expected_) {
        replayed = expected.decision.from == key ? decision_text(expected.decision.command) : replayed;
      }
      report(divergence(key, raised.message(), errors_.contains(key) ? errors_[key] : replayed));
      errors_.clear();
      expected_.clear();
      return false;
    }
  }
  if (in_a_callback || any_recorded_) {  // One that is not replayed, or was late; or the loop failed at a command.
    expected_.clear();
  }
  return false;
}

void ReplayedRound::conclude(const Report& report) {
  for (const auto& expected : expected_) {
    report_missing(expected, report);
  }
  for (const auto& [key, error] : errors_) {
    report(divergence(key, kNothing, error));
  }
  expected_.clear();
  errors_.clear();
}

}  // namespace troupe
