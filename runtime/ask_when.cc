#include "runtime/ask_when.h"

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

AskSchedule::AskSchedule(const std::vector<AskWhen>& lines, const Position& position, uint64_t elapsed_us) {
  for (const auto& when : lines) {
    lines_.push_back({when, position.global_step(), elapsed_us, false});
    by_clock_[when.event] = by_clock_[when.event] || is_by_clock(when.periods);
  }
}

AskSchedule::Answer AskSchedule::check(Line& line, const Event& event, DecidedBefore before) {
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
  if (!is_by_clock(periods)) {
    return Answer::kYes;
  }
  const bool due = !(periods.after_s > 0 && line.done) && has_passed(periods.after_s, event.elapsed_us()) &&
                   has_passed(periods.every_s, event.elapsed_us() - line.last_asked_us);
  if (before == DecidedBefore::kNo || (before == DecidedBefore::kUnknown && !due)) {
    return Answer::kNo;
  }
  line.done = true;
  line.last_asked_us = event.elapsed_us();
  return Answer::kByClock;
}

AskSchedule::Answer AskSchedule::wants(const Event& event, DecidedBefore before) {
  bool has_line = false;
  Answer answer = Answer::kNo;
  for (auto& line : lines_) {
    if (line.when.event != event.body_case()) {
      continue;
    }
    has_line = true;
    const Answer said = check(line, event, before);
    if (said == Answer::kYes || (said == Answer::kByClock && answer == Answer::kNo)) {
      answer = said;
    }
  }
  return has_line ? answer : Answer::kYes;
}

}  // namespace troupe
