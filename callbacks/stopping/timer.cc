#include "troupe/callbacks/stopping/timer.h"

#include <iostream>
#include <limits>

#include "troupe/runtime/base/duration.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr int64_t kMicrosecondsPerSecond = 1'000'000;

}  // namespace

void TimerOptions::describe(OptionVisitor& visit) {
  visit("duration", duration, "Time to train, \"DD:HH:MM:SS\".").required();
  visit("interval", interval, "Look after every batch, or at the end of every epoch.");
  visit("verbose", verbose, "Say on standard error that the time is over.");
}

void TimerOptions::validate() const {
  if (!parse_duration_s(duration)) {
    throw ConfigError("'duration' must be \"DD:HH:MM:SS\", got \"" + duration + "\"");
  }
}

Timer::Timer(TimerOptions options) : options_(std::move(options)) {
  check_options("Timer", options_);
  duration_us_ = parse_duration_s(options_.duration).value() * kMicrosecondsPerSecond;
}

std::vector<AskWhen> Timer::ask_when() const {
  // A period of 0 would mean at any time, each time anew.
  const double over_s = std::max(1.0, static_cast<double>(duration_us_)) / kMicrosecondsPerSecond;
  const AskPeriods when_over{.after_s = over_s};
  const AskPeriods never{.after_s = std::numeric_limits<double>::infinity()};
  const bool by_step = options_.interval == TimerInterval::kStep;
  return {troupe::ask_when<TrainBatchEnded>(by_step ? when_over : never),
          troupe::ask_when<TrainEpochEnded>(by_step ? never : when_over)};
}

void Timer::on(const FitStarted&, Control& control) {
  voted_ = false;
  check(control);
}

void Timer::on(const RunResumed&, Control& control) {
  voted_ = false;
  check(control);
}

void Timer::on(const TrainBatchEnded&, Control& control) {
  check(control);
}

void Timer::on(const TrainEpochEnded&, Control& control) {
  check(control);
}

void Timer::check(Control& control) {
  if (voted_ || control.elapsed_us() < static_cast<uint64_t>(duration_us_)) {
    return;
  }
  voted_ = true;
  control.stop("time limit of " + options_.duration + " reached");
  if (options_.verbose) {
    const auto elapsed_s = static_cast<int64_t>(control.elapsed_us()) / kMicrosecondsPerSecond;
    std::cerr << "Timer: the run has run for " + duration_text(elapsed_s) + " of " + options_.duration + "; stopping\n";
  }
}

}  // namespace troupe
