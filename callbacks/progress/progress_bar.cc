#include "troupe/callbacks/progress/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr std::chrono::milliseconds kRedrawInterval{66};
constexpr std::chrono::seconds kLineInterval{30};
constexpr size_t kDefaultColumns = 80;
constexpr const char* kEraseToEndOfLine = "\x1b[K";

}  // namespace

void ProgressBarOptions::describe(OptionVisitor& visit) {
  visit("refresh_rate", refresh_rate, "Batches between updates; 0: no bar.").at_least(0);
  visit("leave", leave, "Keep the bar of every epoch on the screen.");
}

ProgressBar::ProgressBar(ProgressBarOptions options, ProgressDisplay display)
    : options_(options),
      display_(std::move(display)),
      terminal_(display_.terminal.value_or(isatty(STDERR_FILENO) == 1)) {
  check_options("ProgressBar", options_);
  reset();
}

void ProgressBar::on(const RunStarted&) {
  reset();
}

void ProgressBar::on(const RunResumed&) {
  reset();
}

void ProgressBar::reset() {
  active_ = options_.refresh_rate > 0;
  drawn_ = false;
  due_ = terminal_ ? TimePoint::min() : display_.now() + kLineInterval;
  epoch_.reset();
  evaluation_.reset();
}

Progress ProgressBar::begin(std::string title, uint64_t total, uint64_t done) const {
  return {.title = std::move(title), .done = done, .total = total, .done_before = done, .started = display_.now()};
}

void ProgressBar::begin_epoch(const RunState& run, uint64_t done) {
  std::string title = "Epoch " + std::to_string(run.epoch() + 1);
  title += run.fit().max_epochs() > 0 ? "/" + std::to_string(run.fit().max_epochs()) : "";
  epoch_ = begin(std::move(title), run.fit().train_batches(), done);
  if (!terminal_) {
    due_ = epoch_->started + kLineInterval;
  }
}

void ProgressBar::on(const TrainEpochStarted&, const RunState& run) {
  begin_epoch(run, 0);
}

void ProgressBar::on(const TrainBatchEnded&, const RunState& run) {
  const uint64_t done = uint64_t{run.position().batch_index()} + 1;
  if (!epoch_) {  // Resumed within the epoch.
    begin_epoch(run, done - 1);
  }
  epoch_->done = done;
  refresh(*epoch_, run);
}

void ProgressBar::on(const TrainEpochEnded&, const RunState& run) {
  if (!active_ || !epoch_) {
    return;
  }
  if (!terminal_ || options_.leave) {
    show(*epoch_, run, true);
  } else {
    refresh(*epoch_, run);
  }
}

void ProgressBar::on(const ValidationStarted&, const RunState& run) {
  begin_evaluation(run.sanity_checking() ? "Sanity check" : "Validation", run);
}

void ProgressBar::on(const ValidationBatchEnded&, const RunState& run) {
  advance_evaluation(run);
}

void ProgressBar::on(const ValidationEnded&, const RunState& run) {
  end_evaluation(run);
}

void ProgressBar::on(const TestStarted&, const RunState& run) {
  begin_evaluation("Test", run);
}

void ProgressBar::on(const TestBatchEnded&, const RunState& run) {
  advance_evaluation(run);
}

void ProgressBar::on(const TestEnded&, const RunState& run) {
  end_evaluation(run);
}

void ProgressBar::on(const PredictStarted&, const RunState& run) {
  begin_evaluation("Predict", run);
}

void ProgressBar::on(const PredictBatchEnded&, const RunState& run) {
  advance_evaluation(run);
}

void ProgressBar::on(const PredictEnded&, const RunState& run) {
  end_evaluation(run);
}

void ProgressBar::on(const ExceptionRaised&, const RunState& run) {
  finish(run);
}

void ProgressBar::on(const RunEnded&, const RunState& run) {
  finish(run);
}

void ProgressBar::begin_evaluation(std::string title, const RunState& run) {
  const bool in_fit = run.run_stage() == v1::STAGE_FIT && !run.sanity_checking();
  evaluation_ = begin(std::move(title), in_fit ? run.fit().validation_batches() : 0, 0);
}

void ProgressBar::advance_evaluation(const RunState& run) {
  if (evaluation_) {
    ++evaluation_->done;  // Not the batch index, which starts again with each loader.
    refresh(*evaluation_, run);
  }
}

void ProgressBar::end_evaluation(const RunState& run) {
  if (active_ && evaluation_ && run.run_stage() != v1::STAGE_FIT) {
    show(*evaluation_, run, true);
  }
  evaluation_.reset();
}

void ProgressBar::refresh(const Progress& progress, const RunState& run) {
  if (!active_ ||
      (progress.done % static_cast<uint64_t>(options_.refresh_rate) != 0 && progress.done != progress.total)) {
    return;
  }
  if (const TimePoint now = display_.now(); now >= due_) {
    due_ = terminal_ ? now + kRedrawInterval : now + kLineInterval;
    show(progress, run, false);
  }
}

void ProgressBar::show(const Progress& progress, const RunState& run, bool final) {
  const TimePoint now = display_.now();
  if (!terminal_) {
    *display_.out << format_progress_line(progress, now) + format_progress_metrics(run) + "\n" << std::flush;
    return;
  }
  std::string text = format_progress_bar(progress, now) + format_progress_metrics(run);
  text.resize(std::min(text.size(), columns() - 1));
  *display_.out << "\r" + text + kEraseToEndOfLine + (final ? "\n" : "") << std::flush;
  drawn_ = !final;
}

void ProgressBar::finish(const RunState& run) {
  if (active_ && drawn_) {
    const auto& present = evaluation_ ? evaluation_ : epoch_;
    if (present) {
      show(*present, run, true);
    } else {
      *display_.out << "\r" << kEraseToEndOfLine << std::flush;
    }
  }
  active_ = false;
}

size_t ProgressBar::columns() const {
  winsize size{};
  const bool known = !display_.columns && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return std::max<size_t>(display_.columns.value_or(known ? size.ws_col : kDefaultColumns), 2);
}

}  // namespace troupe
