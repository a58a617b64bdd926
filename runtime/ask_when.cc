#include "runtime/ask_when.h"

namespace troupe {
namespace {

constexpr double kMicrosecondsPerSecond = 1e6;

bool is_multiple(uint64_t count, int64_t period) {
  return period <= 0 || (count > 0 && count % static_cast<uint64_t>(period) == 0);
}

}  // namespace

AskSchedule::AskSchedule(const std::vector<AskWhen>& lines, const Position& position, uint64_t elapsed_us) {
  for (const auto& when : lines) {
    lines_.push_back({when, position.global_step(), elapsed_us, false});
  }
}

AskSchedule::Answer AskSchedule::check(Line& line, const Event& event) {
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
  if (periods.after_s > 0) {
    if (line.done || static_cast<double>(event.elapsed_us()) < periods.after_s * kMicrosecondsPerSecond) {
      return Answer::kNo;
    }
    line.done = true;
  }
  if (periods.every_s > 0) {
    if (static_cast<double>(event.elapsed_us() - line.last_asked_us) < periods.every_s * kMicrosecondsPerSecond) {
      return Answer::kNo;
    }
    line.last_asked_us = event.elapsed_us();
  }
  return periods.after_s > 0 || periods.every_s > 0 ? Answer::kByClock : Answer::kYes;
}

AskSchedule::Answer AskSchedule::wants(const Event& event) {
  bool has_line = false;
  Answer answer = Answer::kNo;
  for (auto& line : lines_) {
    if (line.when.event != event.body_case()) {
      continue;
    }
    has_line = true;
    const Answer said = check(line, event);
    if (said == Answer::kYes || (said == Answer::kByClock && answer == Answer::kNo)) {
      answer = said;
    }
  }
  return has_line ? answer : Answer::kYes;
}

}  // namespace troupe
