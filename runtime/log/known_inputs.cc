#include "troupe/runtime/log/known_inputs.h"

#include <algorithm>

#include "troupe/runtime/log/event_log_reader.h"

namespace troupe {
namespace {

bool ends_the_process(const v1::InputRecorded& input) {
  return input.has_signal() || input.command().has_stop() || input.command().has_withdraw_stop();
}

bool is_same(const v1::InputRecorded& a, const v1::InputRecorded& b) {
  if (a.has_clock() && b.has_clock()) {
    return a.clock().kind() == b.clock().kind() && a.clock().state_key() == b.clock().state_key() &&
           a.clock().event() == b.clock().event();
  }
  return a.SerializeAsString() == b.SerializeAsString();
}

/// Whether the history before is another run's: its log was copied up to there, so nothing is superseded. A fork that
/// is resumed from before that place says where it comes from again.
bool is_fork(const RunResumed& resumed) {
  return !resumed.forked_from().empty() && resumed.superseded_events() == 0;
}

/// Follows a log through its incarnations.
class InputCollector {
 public:
  void add(const Event& event) {
    if (event.has_run_resumed()) {
      go_back_to(event.run_resumed().from_seq());
      if (is_fork(event.run_resumed())) {  // What was ahead was so for the run that it left.
        ahead_.clear();
        reach_ = place_;
      }
    } else if (event.has_input_recorded()) {
      record(event);
    } else if (event.has_run_started() || event.has_checkpoint_taken()) {
      starts_.push_back({event.seq(), place_});
    } else if (is_landmark(event.body_case())) {
      ++place_;
      std::erase_if(ahead_, [this](const PlacedInput& next) { return next.place < place_; });
    }
  }

  /// What is known of the time after `seq`.
  KnownInputs known_after(uint64_t seq) {
    go_back_to(seq);
    KnownInputs known;
    for (const auto& past : past_) {
      if (past.input.input.clock().kind() == v1::ClockDecision::KIND_TRIGGER) {
        known.decided.push_back(past.input.input.clock());
      }
    }
    known.inputs = std::move(ahead_);
    known.landmarks = reach_ > place_ ? reach_ - place_ : 0;
    for (auto& next : known.inputs) {
      next.place -= place_;
    }
    return known;
  }

 private:
  struct Start {
    uint64_t seq;
    uint64_t place;
  };
  struct Past {
    uint64_t seq;
    PlacedInput input;
  };

  void record(const Event& event) {
    const auto& input = event.input_recorded();
    if (ends_the_process(input)) {
      return;
    }
    const auto repeated = std::find_if(ahead_.begin(), ahead_.end(), [&](const PlacedInput& next) {
      return next.place == place_ && is_same(next.input, input);
    });
    if (repeated != ahead_.end()) {
      ahead_.erase(repeated);
    }
    past_.push_back({event.seq(), {place_, input}});
  }

  /// What came after `seq` lies ahead again, before what this process had not come to.
  void go_back_to(uint64_t seq) {
    reach_ = std::max(reach_, place_);
    const auto undone = std::find_if(past_.begin(), past_.end(), [&](const Past& past) { return past.seq > seq; });
    std::vector<PlacedInput> ahead;
    for (auto past = undone; past != past_.end(); ++past) {
      ahead.push_back(std::move(past->input));
    }
    ahead.insert(ahead.end(), ahead_.begin(), ahead_.end());
    ahead_ = std::move(ahead);
    past_.erase(undone, past_.end());
    std::erase_if(starts_, [&](const Start& start) { return start.seq > seq; });
    place_ = starts_.empty() ? 0 : starts_.back().place;
  }

  uint64_t place_ = 0;              // Landmarks of the effective history.
  uint64_t reach_ = 0;              // The largest that place_ was.
  std::vector<Start> starts_;       // Where a process may go on, with their places.
  std::vector<Past> past_;          // Inputs of the effective history.
  std::vector<PlacedInput> ahead_;  // Of earlier processes, at places not yet come to again.
};

}  // namespace

KnownInputs read_known_inputs(const std::filesystem::path& events_dir, uint64_t from_seq) {
  InputCollector collector;
  EventLogReader reader(events_dir);
  for (Event event; reader.next(event);) {
    collector.add(event);
  }
  return collector.known_after(from_seq);
}

}  // namespace troupe
