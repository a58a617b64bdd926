// How the loop gets decisions: rounds of questions, and callbacks on loan.
#include <algorithm>
#include <cmath>

#include "troupe/actors/run/run_system.h"
#include "troupe/actors/run/signal_guard.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/event/round.h"

namespace troupe {
namespace {

constexpr std::chrono::milliseconds kLookAfter{200};  // A relay that has failed asks nobody.

/// At most what a duration of nanoseconds holds.
std::chrono::nanoseconds to_duration(double seconds) {
  constexpr double kSecondsMax = 9e9;
  return std::chrono::nanoseconds(static_cast<int64_t>(std::min(seconds, kSecondsMax) * 1e9));
}

std::string text_of_seconds(std::chrono::nanoseconds duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  return text.back() == '.' ? text + "0" : text;
}

}  // namespace

bool RunSystem::asks(const Event& event) {
  const EventType type = event.body_case();
  to_ask_.clear();
  repeated_us_.reset();
  if (lent_[type]) {
    turns_.push_back({&event, {}});
  }
  if (!asked_[type] && !lent_[type]) {
    return false;
  }
  for (size_t i = 0; i < subscribers_.size(); ++i) {
    const auto& info = subscribers_[i].info;
    if ((info.controls[type] || info.lives[type]) && !known_gone_[i] && has_turn(i, event)) {
      (info.controls[type] ? to_ask_ : turns_.back().places).push_back(i);
    }
  }
  return !to_ask_.empty();
}

bool RunSystem::has_turn(size_t place, const Event& event) {
  const auto answer = wants(place, event);
  if (answer == AskSchedule::Answer::kByClock) {
    record_clock_decision(v1::ClockDecision::KIND_TRIGGER, subscribers_[place].info.state_key, event);
  }
  return answer != AskSchedule::Answer::kNo;
}

AskSchedule::Answer RunSystem::wants(size_t place, const Event& event) {
  auto& schedule = schedules_[place];
  if (repeated_.over() || !schedule.has_clock(event.body_case())) {
    return schedule.wants(event);
  }
  uint64_t elapsed_us = event.elapsed_us();
  const auto before = repeated_.decided(v1::ClockDecision::KIND_TRIGGER, subscribers_[place].info.state_key,
                                        event.body_case(), elapsed_us);
  if (before == DecidedBefore::kYes) {
    repeated_us_ = elapsed_us;
  }
  return schedule.wants(event, before, elapsed_us);
}

void RunSystem::repeat_time(Event& event) {
  if (repeated_us_) {
    event.set_elapsed_us(*repeated_us_);
    repeated_us_.reset();
  } else if (!repeated_.over()) {
    event.set_elapsed_us(std::min(event.elapsed_us(), repeated_.next_decision_us()));
  }
}

bool RunSystem::is_gone(size_t place, Round& round) {
  if (!subscribers_[place].host->lane().detached()) {
    return false;
  }
  if (!known_gone_[place]) {
    known_gone_[place] = true;
    round.detached.push_back(subscribers_[place].info.state_key);
  }
  return true;
}

std::vector<size_t> RunSystem::given_up_before(const Event& event) {
  std::vector<size_t> given_up;
  in_time_before_.clear();
  std::erase_if(to_ask_, [&](size_t place) {
    const auto& key = subscribers_[place].info.state_key;
    uint64_t elapsed_us = 0;
    const auto was_late = repeated_.decided(v1::ClockDecision::KIND_DEADLINE, key, event.body_case(), elapsed_us);
    if (was_late == DecidedBefore::kYes) {
      given_up.push_back(place);
    } else if (was_late == DecidedBefore::kNo) {
      in_time_before_.insert(key);
    }
    return was_late == DecidedBefore::kYes;
  });
  return given_up;
}

void RunSystem::give_up(size_t place, const Event& event, const std::string& why, Round& round) {
  auto& subscriber = subscribers_[place];
  record_clock_decision(v1::ClockDecision::KIND_DEADLINE, subscriber.info.state_key, event);
  detach(subscriber, why);
  is_gone(place, round);
}

std::vector<v1::InputRecorded> RunSystem::take_inputs() {
  auto inputs = repeated_.take_commands();
  for (auto& input : inbox_->take()) {
    inputs.push_back(std::move(input));
  }
  return inputs;
}

DecidedBefore RunSystem::validation_decided_before(uint64_t& elapsed_us) {
  return repeated_.decided(v1::ClockDecision::KIND_VALIDATION, "", Event::BODY_NOT_SET, elapsed_us);
}

void RunSystem::record_clock_decision(v1::ClockDecision::Kind kind, const std::string& state_key, const Event& event) {
  auto input = std::make_shared<Event>();
  *input->mutable_position() = event.position();
  input->set_elapsed_us(repeated_us_.value_or(event.elapsed_us()));
  auto* clock = input->mutable_input_recorded()->mutable_clock();
  clock->set_kind(kind);
  clock->set_state_key(state_key);
  clock->set_elapsed_us(input->elapsed_us());
  clock->set_event(static_cast<uint32_t>(event.body_case()));
  input->mutable_input_recorded()->set_from("clock");
  hand_over(std::move(input), nullptr);
  flush();
}

std::chrono::nanoseconds RunSystem::deadline_of(const Subscriber& subscriber) const {
  const auto& deadline_s = subscriber.info.policy.deadline_s;
  return deadline_s ? to_duration(*deadline_s) : std::chrono::nanoseconds(controller_deadline_);
}

Round RunSystem::ask(std::shared_ptr<Event> event, std::shared_ptr<const StepOutputs> outputs) {
  const EventPtr asked_about = event;
  repeat_time(*event);
  repeated_.pass(event->body_case());
  const auto given_up = given_up_before(*event);
  auto request = std::make_shared<AskRequest>();
  request->asked = to_ask_;
  std::vector<std::string> controllers;
  for (const size_t place : to_ask_) {
    controllers.push_back(subscribers_[place].info.state_key);
  }
  request->round = std::make_shared<RoundCollector>(std::move(controllers));
  request->seq = std::make_shared<std::atomic<uint64_t>>(0);
  const auto collector = request->round;
  const auto seq = request->seq;
  const bool all_prompt = std::all_of(to_ask_.begin(), to_ask_.end(),
                                      [this](size_t place) { return subscribers_[place].info.policy.prompt; });
  relay_here({std::move(event), std::move(request), std::move(outputs)},
             all_prompt ? Relay::HandOn::kLater : Relay::HandOn::kNow);
  answer_promptly();

  Round round;
  for (const size_t place : given_up) {
    give_up(place, *asked_about, "it did not answer in time when the run first came here", round);
  }
  wait_for_answers(*collector, *asked_about, round);
  throw_if_failed();
  round.seq = seq->load();
  take_answers(*collector, asked_about->body_case(), round);
  sort_canonically(round.decisions);
  return round;
}

void RunSystem::answer_promptly() {
  constexpr std::chrono::seconds kTurn{1};
  for (const size_t place : to_ask_) {
    const auto& subscriber = subscribers_[place];
    while (subscriber.info.policy.prompt && subscriber.host->work(kTurn)) {
    }
  }
}

void RunSystem::wait_for_answers(RoundCollector& collector, const Event& event, Round& round) {
  const auto asked_at = std::chrono::steady_clock::now();
  std::set<std::string> given_up;  // Detached here, or waited for without end.
  while (!failure_->failed()) {
    std::chrono::nanoseconds patience = kLookAfter;
    for (const size_t place : to_ask_) {
      if (!given_up.contains(subscribers_[place].info.state_key)) {
        const auto left = asked_at + deadline_of(subscribers_[place]) - std::chrono::steady_clock::now();
        patience = std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), patience);
      }
    }
    const auto missing = collector.wait(std::chrono::ceil<std::chrono::milliseconds>(patience));
    bool waits = false;
    for (const size_t place : to_ask_) {
      const auto& subscriber = subscribers_[place];
      const auto& key = subscriber.info.state_key;
      if (std::find(missing.begin(), missing.end(), key) == missing.end()) {
        continue;
      }
      const bool late = std::chrono::steady_clock::now() >= asked_at + deadline_of(subscriber);
      if (late && !given_up.contains(key)) {
        given_up.insert(key);
        waits = deal_with_late(subscriber, event, collector, round) || waits;
      } else {
        waits = waits || !late || subscriber.info.policy.on_deadline == DeadlinePolicy::kWait;
      }
    }
    if (!waits) {
      return;
    }
  }
}

bool RunSystem::deal_with_late(const Subscriber& subscriber, const Event& event, RoundCollector& collector,
                               Round& round) {
  const auto& info = subscriber.info;
  const std::string what = "did not answer " + event_info(event.body_case()).name + " within " +
                           text_of_seconds(deadline_of(subscriber)) + " s";
  switch (info.policy.on_deadline) {
    case DeadlinePolicy::kWait: {
      auto failed = std::make_shared<Event>();
      failed->mutable_callback_failed()->set_state_key(info.state_key);
      failed->mutable_callback_failed()->set_message(what + "; the run waits for it");
      queue_->push_unbounded(std::move(failed));
      return true;
    }
    case DeadlinePolicy::kDetach:
      if (in_time_before_.contains(info.state_key)) {  // To detach it here would be another run.
        unresponsive_.insert(info.state_key);
        throw CallbackError("callback " + info.state_key + " " + what +
                            ", as it had when the run first came here: resume the run to try again");
      }
      if (collector.drop(info.state_key)) {  // Otherwise it has just answered.
        give_up(static_cast<size_t>(&subscriber - subscribers_.data()), event, "it " + what, round);
      }
      return false;
    default:
      unresponsive_.insert(info.state_key);
      throw CallbackError("callback " + info.state_key + " " + what +
                          " (policy deadline_s, or trainer option controller_deadline_s)");
  }
}

void RunSystem::take_answers(RoundCollector& collector, EventType type, Round& round) {
  for (auto& [from, answer] : collector.take()) {
    const auto sender =
        std::find_if(subscribers_.begin(), subscribers_.end(),
                     [&, key = std::string_view(from)](const auto& s) { return s.info.state_key == key; });
    if (answer.detached) {
      is_gone(static_cast<size_t>(sender - subscribers_.begin()), round);
      continue;
    }
    if (answer.error) {
      throw CallbackError("callback " + from + " failed at " + event_info(type).name + ": " + *answer.error);
    }
    for (auto& command : answer.commands) {
      round.decisions.push_back({from, sender->info.type, std::move(command)});
    }
  }
}

Callback* RunSystem::borrow(size_t place, const std::shared_ptr<CallbackLoan>& loan,
                            std::shared_ptr<const RunState>& run) {
  auto request = std::make_shared<LendRequest>();
  request->subscriber = place;
  request->loan = loan;
  request->run = std::make_shared<std::promise<std::shared_ptr<const RunState>>>();
  auto promised = request->run->get_future();
  relay_here({nullptr, std::move(request)});
  run = wait_for(promised);
  while (!loan->wait(kLookAfter)) {
    throw_if_failed();
  }
  return loan->callback();
}

void RunSystem::lend(const EventPtr& event, const LiveTurn& turn, const std::function<void(const Round&)>& apply) {
  while (turns_.back().event != event.get()) {
    turns_.pop_back();
  }
  const auto places = std::move(turns_.back().places);
  turns_.pop_back();
  for (const size_t place : places) {
    Round round;
    lend_one(place, event, turn, round);
    sort_canonically(round.decisions);
    apply(round);
  }
}

void RunSystem::lend_one(size_t place, const EventPtr& event, const LiveTurn& turn, Round& round) {
  auto& subscriber = subscribers_[place];
  struct GiveBack {
    std::shared_ptr<CallbackLoan> loan = std::make_shared<CallbackLoan>();
    ~GiveBack() { loan->give_back(); }
  } const borrowed;
  std::shared_ptr<const RunState> run;
  Callback* callback = borrow(place, borrowed.loan, run);
  round.seq = event->seq();  // The relay has given it by now.
  if (callback == nullptr) {
    if (!is_gone(place, round)) {
      throw CallbackError("callback " + subscriber.info.state_key + " cannot go on: an observer hook of it failed");
    }
    return;
  }
  try {
    for (auto& command : turn(*callback, *run)) {
      round.decisions.push_back({subscriber.info.state_key, subscriber.info.type, std::move(command)});
    }
  } catch (...) {
    const std::string message = event_info(event->body_case()).name + ": " + current_exception_text();
    if (subscriber.info.policy.on_failure == FailurePolicy::kFail) {
      throw CallbackError("callback " + subscriber.info.state_key + " failed at " + message);
    }
    detach(subscriber, "its hook failed at " + message);
    is_gone(place, round);
  }
}

void RunSystem::wait_for_input() {
  while (!inbox_->any() && pending_signal() == 0) {
    throw_if_failed();
    inbox_->wait(std::chrono::milliseconds(50));
  }
}

}  // namespace troupe
