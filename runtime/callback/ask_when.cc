#include "troupe/runtime/callback/ask_when.h"

#include <algorithm>

namespace troupe {
namespace {

constexpr double kMicrosecondsPerSecond = 1e6;

bool is_multiple(uint64_t count, int64_t period) {
  return period <= 0 || (count > 0 && count % static_cast<uint64_t>(period) == 0);
}

bool is_by_clock(const AskPeriods& periods) {
  return periods.after_s > 0 || periods.every_s > 0;
}

bool has_passed(double period_s, uint64_t elapsed_us) {
  return period_s <= 0 || static_cast<double>(elapsed_us) >= period_s * kMicrosecondsPerSecond;
}

}  // namespace

AskSchedule::AskSchedule(const std::vector<AskWhen>& lines, const Position& position,
                         const std::vector<v1::ClockDecision>& decided) {
  for (const auto& when : lines) {
    lines_.push_back({when, position.global_step(), 0, false});
    by_clock_[when.event] = by_clock_[when.event] || is_by_clock(when.periods);
  }
  for (const auto& decision : decided) {
    for (auto& line : lines_) {
      if (static_cast<uint32_t>(line.when.event) == decision.event() && is_by_clock(line.when.periods) &&
          line.is_due(decision.elapsed_us())) {
        line.note_asked(decision.elapsed_us());
      }
    }
  }
}

bool AskSchedule::Line::is_due(uint64_t elapsed_us) const {
  const auto& periods = when.periods;
  return !(periods.after_s > 0 && done) && has_passed(periods.after_s, elapsed_us) &&
         has_passed(periods.every_s, elapsed_us - std::min(elapsed_us, last_asked_us));
}

void AskSchedule::Line::note_asked(uint64_t elapsed_us) {
  done = true;
  last_asked_us = elapsed_us;
}

AskSchedule::Answer AskSchedule::check(Line& line, const Event& event, DecidedBefore before, uint64_t elapsed_us) {
  const auto& periods = line.when.periods;
  const auto& position = event.position();
  const bool stepped = position.global_step() != line.last_step;
  line.last_step = position.global_step();
  if (!periods.sanity_checking && position.stage() == v1::STAGE_SANITY_CHECK) {
    return Answer::kNo;
  }
  if (!is_multiple(uint64_t{position.batch_index()} + 1, periods.every_n_batches) ||
      !is_multiple(uint64_t{position.epoch()} + 1, periods.every_n_epochs)) {
    return Answer::kNo;
  }
  if (periods.every_n_steps > 0 && !(stepped && is_multiple(position.global_step(), periods.every_n_steps))) {
    return Answer::kNo;
  }
  if (!is_multiple(position.global_step() + 1, periods.during_every_n_steps)) {
    return Answer::kNo;
  }
  if (!is_by_clock(periods)) {
    return Answer::kYes;
  }
  if (before == DecidedBefore::kNo || !line.is_due(elapsed_us)) {
    return Answer::kNo;
  }
  line.note_asked(elapsed_us);
  return Answer::kByClock;
}

AskSchedule::Answer AskSchedule::wants(const Event& event, DecidedBefore before, uint64_t elapsed_us) {
  bool has_line = false;
  Answer answer = Answer::kNo;
  for (auto& line : lines_) {
    if (line.when.event != event.body_case()) {
      continue;
    }
    has_line = true;
    const Answer said = check(line, event, before, elapsed_us);
    if (said == Answer::kYes || (said == Answer::kByClock && answer == Answer::kNo)) {
      answer = said;
    }
  }
  return has_line ? answer : Answer::kYes;
}

}  // namespace troupe
