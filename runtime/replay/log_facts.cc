#include "troupe/runtime/replay/log_facts.h"

#include <algorithm>

#include "troupe/runtime/event/repeated_inputs.h"
#include "troupe/runtime/log/event_log_reader.h"

namespace troupe {

/// Follows the log through its processes.
class LogFacts::Collector {
 public:
  explicit Collector(LogFacts& facts) : facts_(facts) {}

  void add(const Event& event) {
    switch (event.body_case()) {
      case Event::kRunStarted:
        incarnation_ = 1;
        starts_.push_back({event.seq(), 0});
        break;
      case Event::kRunResumed:
        resume(event.run_resumed());
        break;
      case Event::kCheckpointTaken:
        starts_.push_back({event.seq(), landmarks_});
        break;
      case Event::kCallbackAttached:
        facts_.attached_[incarnation_].push_back(event.callback_attached());
        break;
      case Event::kCallbackFailed:
        note_failure(event.callback_failed());
        break;
      case Event::kCallbackEventSkipped:
        facts_.skipped_.insert(
            {{incarnation_, event.callback_event_skipped().event_seq()}, event.callback_event_skipped().state_key()});
        break;
      default:
        break;
    }
    landmarks_ += is_landmark(event.body_case()) ? 1 : 0;
  }

 private:
  struct Start {
    uint64_t seq;
    uint64_t landmarks;
  };

  void note_failure(const v1::CallbackFailed& failed) {
    if (failed.event_seq() != 0) {
      facts_.failures_.insert({{{incarnation_, failed.event_seq()}, failed.state_key()}, failed.message()});
    }
  }

  void resume(const v1::RunResumed& resumed) {
    incarnation_ = resumed.incarnation();
    reach_ = std::max(reach_, landmarks_);
    std::erase_if(starts_, [&](const Start& start) { return start.seq > resumed.from_seq(); });
    landmarks_ = starts_.empty() ? 0 : starts_.back().landmarks;
    if (!resumed.forked_from().empty() && resumed.superseded_events() == 0) {  // It repeats nothing of the other run.
      reach_ = landmarks_;
    }
    facts_.landmarks_ahead_[incarnation_] = reach_ - landmarks_;
  }

  LogFacts& facts_;
  uint32_t incarnation_ = 0;
  uint64_t landmarks_ = 0;  // Of the history that this process has behind it.
  uint64_t reach_ = 0;      // The most that any process had.
  std::vector<Start> starts_;
};

LogFacts LogFacts::read(const std::filesystem::path& events_dir) {
  LogFacts facts;
  Collector collector(facts);
  EventLogReader log(events_dir);
  for (Event event; log.next(event);) {
    collector.add(event);
  }
  return facts;
}

const std::vector<v1::CallbackAttached>& LogFacts::attached(uint32_t incarnation) const {
  static const std::vector<v1::CallbackAttached> nobody;
  const auto found = attached_.find(incarnation);
  return found == attached_.end() ? nobody : found->second;
}

const std::string* LogFacts::failure(LogPlace place, const std::string& state_key) const {
  if (failures_.empty()) {  // Nearly always.
    return nullptr;
  }
  const auto found = failures_.find({place, state_key});
  return found == failures_.end() ? nullptr : &found->second;
}

bool LogFacts::skipped(LogPlace place, const std::string& state_key) const {
  return !skipped_.empty() && skipped_.contains({place, state_key});
}

uint64_t LogFacts::landmarks_ahead(uint32_t incarnation) const {
  const auto found = landmarks_ahead_.find(incarnation);
  return found == landmarks_ahead_.end() ? 0 : found->second;
}

}  // namespace troupe
