#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/event_sink.h"
#include "troupe/runtime/replay/divergence.h"
#include "troupe/runtime/replay/replayed_callback.h"

namespace troupe {

/// Whether the loop has got on when this event comes, so that the rounds before it are over.
bool ends_rounds(const Event& event);

/// What the replayed controllers said of one event, while the log is searched for the same: its CommandApplied and
/// CommandRefused follow the event, in the canonical order, before the loop gets on.
class ReplayedRound {
 public:
  using Report = std::function<void(Divergence)>;

  /// `senders`: state keys of all callbacks that are replayed. Those of others are not looked at.
  ReplayedRound(const Event& about, std::shared_ptr<const std::set<std::string>> senders)
      : seq_(about.seq()), position_(about.position()), senders_(std::move(senders)) {}

  uint64_t seq() const { return seq_; }
  bool has_sender(const std::string& state_key) const { return senders_->contains(state_key); }

  /// Adds what one of them answered.
  void add(const CallbackInfo& info, ReplayedAnswer answer, const std::string& failed_at);
  /// To be called when all have been added.
  void complete();

  /// The controller did not answer in time: nothing of it is waited for.
  void drop(const std::string& state_key);
  /// A recorded decision about the event: true where it is what was replayed.
  bool match(const Event& applied_or_refused, const Report& report);
  /// The run failed while it asked or carried out: true where that is what was replayed.
  bool match_failure(const v1::ExceptionRaised& raised, const Report& report);
  /// The loop has got on: what has not been found in the log was not decided there.
  void conclude(const Report& report);

 private:
  struct Expected {
    Decision decision;
    std::string contradiction;
  };

  Divergence divergence(const std::string& callback, std::string recorded, std::string replayed) const;
  void settle_contradictions();
  bool agrees(const Expected& expected, const Event& recorded, const Report& report) const;
  void report_missing(const Expected& expected, const Report& report) const;

  uint64_t seq_;
  Position position_;
  std::shared_ptr<const std::set<std::string>> senders_;
  std::vector<Expected> expected_;             // In the canonical order, from the next one on.
  std::map<std::string, std::string> errors_;  // What controllers threw, and so the run: by state key.
  bool settled_ = false;
  bool any_recorded_ = false;
};

}  // namespace troupe
