#include "troupe/runtime/replay/what_if.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/strict_json.h"
#include "troupe/runtime/event/round.h"
#include "troupe/runtime/event/stop_votes.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/replay/decision_text.h"
#include "troupe/runtime/replay/log_facts.h"
#include "troupe/runtime/replay/log_range.h"
#include "troupe/runtime/replay/replay_process.h"
#include "troupe/runtime/replay/replayed_round.h"

namespace troupe {
namespace {

using nlohmann::json;

/// Whether the training goes on in another way with this command than without it; votes aside.
bool changes_training(const v1::Command& command) {
  switch (command.command_case()) {
    case v1::Command::kSetLearningRate:
    case v1::Command::kSetMomentum:
    case v1::Command::kSetAccumulation:
    case v1::Command::kSetBatchSize:
    case v1::Command::kSetFrozen:
    case v1::Command::kSkipEpoch:
    case v1::Command::kPause:
    case v1::Command::kResume:
      return true;
    default:
      return false;
  }
}

/// The minima that votes wait for, as the trainer options of a configuration have them.
struct Minima {
  int64_t epochs = 0;
  int64_t steps = 0;

  static Minima of(const std::string& config_json) {
    const json config = config_json.empty() ? json::object() : parse_json(config_json, "the configuration in the log");
    const json trainer = config.value("trainer", json::object());
    const auto count = [&](const char* name) {
      const auto found = trainer.find(name);
      return found != trainer.end() && found->is_number_integer() ? found->get<int64_t>() : -1;
    };
    if (count("fast_dev_run") > 0) {
      return {};
    }
    const int64_t steps = count("min_steps");
    const int64_t epochs = count("min_epochs");
    return {epochs >= 0 ? epochs : steps >= 0 ? 1 : 0, std::max<int64_t>(steps, 0)};
  }
  bool met(const RunState& run) const {
    return int64_t{run.epochs_completed()} >= epochs && static_cast<int64_t>(run.global_step()) >= steps;
  }
};

class WhatIf {
 public:
  WhatIf(const CallbackRegistry& registry, const json& callbacks, std::string file, const ReplayOptions& options,
         const std::function<void(const WhatIfDecision&)>& take)
      : registry_(registry),
        callbacks_(callbacks),
        file_(std::move(file)),
        take_(take),
        range_(options.from, options.until),
        facts_(LogFacts::read(RunPaths{options.run_directory}.events())),
        history_(RunPaths{options.run_directory}.events()),
        process_(options.run_directory, options.scratch, nullptr) {}

  WhatIfReport run() {
    check_callbacks();
    for (Event event; history_.next(event) && !range_.is_past();) {
      feed(event);
    }
    conclude_round();
    report_.problem = range_.problem();
    return std::move(report_);
  }

 private:
  /// What was said of one event on both sides.
  struct OpenRound {
    uint64_t seq = 0;
    Position position;
    std::vector<Decision> what_if;
    std::vector<Decision> recorded;
    std::map<std::string, std::string> failures;  // By state key.
    bool known = true;
    bool counts = false;  // It lies in the range.
  };

  void check_callbacks() {
    auto made = registry_.make_callbacks(callbacks_, file_);
    if (made.empty()) {
      throw ConfigError(file_ + ": names no callback: there is nothing to ask");
    }
    std::set<std::string> keys;
    for (size_t i = 0; i < made.size(); ++i) {
      const auto& info = made[i]->info();
      if (!keys.insert(info.state_key).second) {
        throw ConfigError(file_ + ": two callbacks have the state key '" + info.state_key + "'");
      }
      if (auto why = not_replayable_because(info, callbacks_[i]); !why.empty()) {
        report_.not_replayable.push_back({info.state_key, std::move(why)});
      }
    }
  }

  Callbacks make_callbacks() const {
    Callbacks callbacks;
    for (auto& made : registry_.make_callbacks(callbacks_, file_)) {
      const auto is_this = [&](const NotReplayable& other) { return other.state_key == made->info().state_key; };
      if (std::none_of(report_.not_replayable.begin(), report_.not_replayable.end(), is_this)) {
        callbacks.push_back(std::move(made));
      }
    }
    return callbacks;
  }

  void begin_process(const Event& opening) {
    const bool is_start = opening.has_run_started();
    const auto& config = is_start ? opening.run_started().config_json() : opening.run_resumed().config_json();
    const auto& attached = facts_.attached(is_start ? 1 : opening.run_resumed().incarnation());
    for (const auto& callback : make_recorded_callbacks(registry_, config, attached).replayable) {
      replaced_.insert(callback->info().state_key);
    }
    minima_ = Minima::of(config);
    votes_ = {};
    process_.begin(make_callbacks(), opening, state_);
  }

  void feed(const Event& event) {
    ++report_.events;
    if (event.has_run_started() || event.has_run_resumed()) {
      begin_process(event);
    }
    state_.apply(event);
    in_range_ = range_.contains(event);
    if (event.has_command_applied() && replaced_.contains(event.command_applied().from())) {
      add_recorded(event);
    }
    if (event.input_recorded().has_clock()) {
      process_.note_decision(event.input_recorded().clock());
    }
    deliver(event);
    if (ends_rounds(event) || event.has_run_resumed()) {
      look_for_stop(event);
    }
    follow_training(event);
    if (event.has_checkpoint_taken()) {
      process_.capture(state_);
    }
    process_.pass(event);
  }

  void add_recorded(const Event& event) {
    const auto& applied = event.command_applied();
    if (applied.cause_seq() != open_.seq) {  // Of an event that none of the others takes.
      conclude_round();
      open_round(applied.cause_seq(), event.position());
    }
    open_.recorded.push_back({applied.from(), {}, applied.command()});
  }

  void open_round(uint64_t seq, const Position& position) {
    open_.seq = seq;
    open_.position = position;
    open_.known = !report_.unknown && !report_.would_stop;
    open_.counts = in_range_;
  }

  void deliver(const Event& event) {
    bool anybody = false;
    for (const auto& callback : process_.callbacks()) {
      if (auto failure = callback->observe(event, {}, state_); !failure.empty()) {
        report_.not_replayable.push_back(
            {callback->info().state_key, "from seq " + std::to_string(event.seq()) + " on: " + failure});
      }
      anybody = anybody || callback->info().controls[event.body_case()];
    }
    if (anybody || ends_rounds(event)) {
      conclude_round();
      open_round(event.seq(), event.position());
    }
    if (anybody) {
      ask(event);
    }
  }

  void ask(const Event& event) {
    for (const auto& callback : process_.callbacks()) {
      const auto& info = callback->info();
      if (!info.controls[event.body_case()] || callback->detached() ||
          process_.turn(*callback, event) != ReplayProcess::Turn::kYes) {
        continue;
      }
      auto answer = callback->decide(event, state_);
      if (answer.error) {
        open_.failures[info.state_key] = *answer.error;
        callback->detach();
      }
      for (auto& command : answer.commands) {
        open_.what_if.push_back({info.state_key, info.type, std::move(command)});
      }
    }
    sort_canonically(open_.what_if);
    count_votes();
  }

  void count_votes() {
    for (const auto& decision : open_.what_if) {
      if (decision.command.has_stop()) {
        votes_.add(decision.from, decision.command.stop().reason());
      } else if (decision.command.has_withdraw_stop()) {
        votes_.withdraw(decision.from);
      }
    }
  }

  /// Any vote stops the run as soon as the minima are met.
  void look_for_stop(const Event& event) {
    if (votes_.any() && minima_.met(state_) && !report_.would_stop && state_.run_stage() == v1::STAGE_FIT) {
      const auto& [from, reason] = votes_.first();
      report_.would_stop = StopPlace{event.seq(), event.position(), from + ": " + reason};
    }
  }

  /// Whether the run trained on where it would have stopped, and where it ended.
  void follow_training(const Event& event) {
    if (event.has_train_batch_ended()) {
      if (report_.would_stop && event.seq() > report_.would_stop->seq) {
        report_.goes_on_behind = true;
        note_unknown(*report_.would_stop, "the run would have stopped");
      }
      trained_ = StopPlace{event.seq(), event.position(), {}};
    }
    if (event.has_run_ended()) {
      report_.ended = trained_;
      report_.ended->why = event.run_ended().reason();
      report_.stopped = event.run_ended().status() == v1::RUN_STATUS_STOPPED;
    } else if (event.has_run_resumed()) {
      report_.ended.reset();
    }
  }

  void note_unknown(const StopPlace& place, std::string why) {
    if (!report_.unknown || place.seq < report_.unknown->seq) {
      report_.unknown = StopPlace{place.seq, place.position, std::move(why)};
    }
  }

  void conclude_round() {
    for (auto& decision : open_.what_if) {
      const auto same = std::find_if(open_.recorded.begin(), open_.recorded.end(), [&](const Decision& recorded) {
        return recorded.from == decision.from &&
               recorded.command.SerializeAsString() == decision.command.SerializeAsString();
      });
      const bool both = same != open_.recorded.end();
      if (both) {
        open_.recorded.erase(same);
      }
      hand_out(both ? WhatIfDecision::Side::kBoth : WhatIfDecision::Side::kWhatIf, decision);
    }
    for (const auto& decision : open_.recorded) {
      hand_out(WhatIfDecision::Side::kRecorded, decision);
    }
    for (const auto& [key, failure] : open_.failures) {
      if (open_.counts) {
        take_({WhatIfDecision::Side::kWhatIf, open_.seq, open_.position, key, {}, failure, open_.known});
        note_unknown({open_.seq, open_.position, {}}, key + " would have failed");
      }
    }
    open_ = {};
  }

  void hand_out(WhatIfDecision::Side side, const Decision& decision) {
    if (!open_.counts) {
      return;
    }
    report_.decisions += side == WhatIfDecision::Side::kRecorded ? 0 : 1;
    take_({side, open_.seq, open_.position, decision.from, decision.command, {}, open_.known});
    if (side != WhatIfDecision::Side::kBoth && changes_training(decision.command)) {
      const bool ours = side == WhatIfDecision::Side::kWhatIf;
      note_unknown({open_.seq, open_.position, {}},
                   decision_text(decision.command) + (ours ? " would have come" : " would not have come"));
    }
  }

  const CallbackRegistry& registry_;
  const json& callbacks_;
  std::string file_;
  const std::function<void(const WhatIfDecision&)>& take_;
  LogRange range_;
  LogFacts facts_;
  EventHistory history_;
  ReplayProcess process_;
  RunState state_;
  std::set<std::string> replaced_;  // State keys of the run's callbacks that the others are in the place of.
  Minima minima_;
  StopVotes votes_;
  bool in_range_ = false;  // The event at hand.
  OpenRound open_;
  StopPlace trained_;
  WhatIfReport report_;
};

}  // namespace

WhatIfReport replay_what_if(const CallbackRegistry& registry, const json& callbacks, const std::string& file,
                            const ReplayOptions& options, const std::function<void(const WhatIfDecision&)>& take) {
  return WhatIf(registry, callbacks, file, options, take).run();
}

}  // namespace troupe
