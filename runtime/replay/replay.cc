#include "troupe/runtime/replay/replay.h"

#include <algorithm>
#include <set>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/replay/decision_text.h"
#include "troupe/runtime/replay/log_facts.h"
#include "troupe/runtime/replay/log_range.h"
#include "troupe/runtime/replay/replay_process.h"
#include "troupe/runtime/replay/replayed_round.h"

namespace troupe {
namespace {

class Replayer {
 public:
  Replayer(const CallbackRegistry& registry, const ReplayOptions& options)
      : registry_(registry),
        range_(options.from, options.until),
        facts_(LogFacts::read(RunPaths{options.run_directory}.events())),
        history_(RunPaths{options.run_directory}.events()),
        saved_(options.run_directory),
        process_(options.run_directory, options.scratch, &facts_) {}

  ReplayReport run() {
    for (Event event; history_.next(event);) {
      if (range_.is_past() && (rounds_.empty() || ends_rounds(event))) {
        conclude_rounds();
        break;
      }
      feed(event);
    }
    report_.problem = range_.problem();
    return std::move(report_);
  }

 private:
  struct OpenRound {
    ReplayedRound round;
    bool counts;  ///< It lies in the range.
  };

  void feed(const Event& event) {
    ++report_.events;
    if (event.has_run_started() || event.has_run_resumed()) {
      begin_process(event);
    }
    state_.apply(event);
    counts_ = range_.contains(event);
    read_log_side(event);
    if (ends_rounds(event)) {
      conclude_rounds();
    }
    deliver(event);
    if (event.has_checkpoint_taken()) {
      compare_states(event);
    }
    process_.pass(event);
  }

  void begin_process(const Event& opening) {
    if (opening.has_run_resumed() && opening.run_resumed().from_seq() != state_.seq()) {
      throw CorruptionError("replay: the run was resumed while its log was read; replay it again");
    }
    if (opening.run_resumed().checkpoint().empty()) {  // What a round had still to do is gone with its process.
      rounds_.clear();
    }
    incarnation_ = opening.has_run_started() ? 1 : opening.run_resumed().incarnation();
    const auto& config =
        opening.has_run_started() ? opening.run_started().config_json() : opening.run_resumed().config_json();
    auto made = make_recorded_callbacks(registry_, config, facts_.attached(incarnation_));
    for (auto& other : made.others) {
      const bool known =
          std::any_of(report_.not_replayable.begin(), report_.not_replayable.end(),
                      [&](const NotReplayable& present) { return present.state_key == other.state_key; });
      if (!known) {
        report_.not_replayable.push_back(std::move(other));
      }
    }
    process_.begin(made.replayable, opening, state_);
  }

  // What the log says.

  void read_log_side(const Event& event) {
    if (event.has_command_applied()) {
      match(event, event.command_applied().from(), event.command_applied().cause_seq());
    } else if (event.has_command_refused()) {
      match(event, event.command_refused().from(), event.command_refused().cause_seq());
    } else if (event.has_exception_raised()) {
      match_failure(event.exception_raised());
    } else if (event.has_callback_detached()) {
      if (auto* callback = process_.find(event.callback_detached().state_key())) {
        callback->detach();
      }
    } else if (event.input_recorded().has_clock()) {
      take_clock_decision(event.input_recorded().clock());
    }
  }

  void match(const Event& event, const std::string& from, uint64_t cause_seq) {
    const auto open =
        std::find_if(rounds_.begin(), rounds_.end(), [&](const auto& one) { return one.round.seq() == cause_seq; });
    if (open == rounds_.end()) {
      if (process_.find(from) != nullptr && cause_seq != 0) {
        report_.decisions += counts_ ? 1 : 0;
        report(counts_, {cause_seq, event.position(), from, decision_text(event), "nothing: it was not asked"});
      }
      return;
    }
    if (open->round.has_sender(from)) {
      const bool same = open->round.match(event, reporter(open->counts));
      report_.decisions += open->counts ? 1 : 0;
      report_.reproduced += open->counts && same ? 1 : 0;
    }
  }

  void match_failure(const ExceptionRaised& raised) {
    for (auto open = rounds_.rbegin(); open != rounds_.rend(); ++open) {
      if (open->round.match_failure(raised, reporter(open->counts))) {
        report_.decisions += open->counts ? 1 : 0;
        report_.reproduced += open->counts ? 1 : 0;
      }
    }
  }

  void take_clock_decision(const v1::ClockDecision& decision) {
    process_.note_decision(decision);
    if (decision.kind() != v1::ClockDecision::KIND_DEADLINE) {
      return;
    }
    for (auto& open : rounds_) {
      open.round.drop(decision.state_key());
    }
    if (auto* callback = process_.find(decision.state_key())) {
      callback->detach();
    }
  }

  void conclude_rounds() {
    for (auto& open : rounds_) {
      open.round.conclude(reporter(open.counts));
    }
    rounds_.clear();
  }

  // What the callbacks say.

  void deliver(const Event& event) {
    const LogPlace place{incarnation_, event.seq()};
    bool anybody = false;
    for (const auto& callback : process_.callbacks()) {
      if (const std::string replayed = callback->observe(event, place, state_); !replayed.empty()) {
        report_hook(event, place, *callback, replayed);
      }
      anybody = anybody || callback->info().controls[event.body_case()];
    }
    if (anybody) {
      ask(event, place);
    }
  }

  void ask(const Event& event, LogPlace place) {
    ReplayedRound round(event, process_.state_keys());
    for (const auto& callback : process_.callbacks()) {
      if (callback->info().controls[event.body_case()] && !callback->detached() && has_turn(event, *callback)) {
        decide(event, place, *callback, round);
      }
    }
    round.complete();
    rounds_.push_back({std::move(round), counts_});
  }

  bool has_turn(const Event& event, ReplayedCallback& callback) {
    const auto turn = process_.turn(callback, event);
    if (turn == ReplayProcess::Turn::kNotDue || turn == ReplayProcess::Turn::kTooEarly) {
      const bool recorded = turn == ReplayProcess::Turn::kNotDue;
      report(counts_, {event.seq(), event.position(), callback.info().state_key,
                       recorded ? "asked: its time had come" : "not asked",
                       recorded ? "not asked: its time has not come" : "asked: its time has come"});
    }
    return turn == ReplayProcess::Turn::kYes;
  }

  void decide(const Event& event, LogPlace place, ReplayedCallback& callback, ReplayedRound& round) {
    const auto& info = callback.info();
    auto answer = callback.decide(event, state_);
    if (info.policy.on_failure == FailurePolicy::kFail) {
      round.add(info, std::move(answer), event_info(event.body_case()).name);
      return;
    }
    const bool recorded = facts_.failure(place, info.state_key) != nullptr;
    if (recorded != answer.error.has_value()) {
      report_hook(event, place, callback, answer.error ? "its hook threw: " + *answer.error : "its hook returned");
    }
    if (answer.error) {
      callback.detach();
    } else {
      round.add(info, std::move(answer), {});
    }
  }

  void compare_states(const Event& taken) {
    const auto states = process_.capture(state_);
    if (!counts_) {
      return;
    }
    try {
      report_.states_equal += saved_.compare(taken, incarnation_, states, reporter(true));
    } catch (const CorruptionError& error) {
      report_.unreadable.emplace_back(error.what());
    } catch (const IoError& error) {
      report_.unreadable.emplace_back(error.what());
    }
  }

  void report_hook(const Event& event, LogPlace place, const ReplayedCallback& callback, std::string replayed) {
    const std::string* thrown = facts_.failure(place, callback.info().state_key);
    report(counts_, {event.seq(), event.position(), callback.info().state_key,
                     thrown == nullptr ? "its hook returned" : "its hook threw: " + *thrown, std::move(replayed)});
  }

  ReplayedRound::Report reporter(bool counts) {
    return [this, counts](Divergence divergence) { report(counts, std::move(divergence)); };
  }

  void report(bool counts, Divergence divergence) {
    if (!counts) {
      return;
    }
    ++report_.diverged;
    if (!report_.first_divergence || divergence.seq < report_.first_divergence->seq) {
      report_.first_divergence = std::move(divergence);
    }
  }

  const CallbackRegistry& registry_;
  LogRange range_;
  LogFacts facts_;
  EventHistory history_;
  SavedStates saved_;
  ReplayProcess process_;
  RunState state_;
  uint32_t incarnation_ = 0;
  bool counts_ = false;  // The event at hand lies in the range.
  std::vector<OpenRound> rounds_;
  ReplayReport report_;
};

}  // namespace

ReplayReport replay_run(const CallbackRegistry& registry, const ReplayOptions& options) {
  return Replayer(registry, options).run();
}

}  // namespace troupe
