#include "troupe/callbacks/progress/progress_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

namespace troupe {
namespace {

constexpr uint64_t kBarCells = 10;

std::string print_number(const char* format, double value) {
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// "00:12", "1:02:03".
std::string format_duration(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::min(seconds, 1e9));
  std::array<char, 32> text{};
  if (whole >= 3600) {
    std::snprintf(text.data(), text.size(), "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%02llu:%02llu", whole / 60, whole % 60);
  }
  return text.data();
}

/// Events come in batches: a shorter time, in seconds, says nothing of the rate.
constexpr double kShortestTimed = 0.02;

std::string format_rate(std::optional<double> batches_per_second) {
  if (!batches_per_second) {
    return "? it/s";
  }
  return *batches_per_second >= 1.0 ? print_number("%.1f it/s", *batches_per_second)
                                    : print_number("%.1f s/it", 1.0 / *batches_per_second);
}

/// "31/50 [00:12<00:08, 2.5 it/s]"
std::string format_counts(const Progress& progress, std::chrono::steady_clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - progress.started).count();
  std::optional<double> rate;
  if (progress.done > progress.done_before && elapsed > kShortestTimed) {
    rate = static_cast<double>(progress.done - progress.done_before) / elapsed;
  }
  std::string text = std::to_string(progress.done);
  text += progress.total > 0 ? "/" + std::to_string(progress.total) : "";
  text += " [" + format_duration(elapsed);
  if (progress.total > 0) {
    const double left = static_cast<double>(progress.total - std::min(progress.done, progress.total));
    text += "<" + (rate ? format_duration(left / *rate) : std::string("?"));
  }
  return text + ", " + format_rate(rate) + "]";
}

}  // namespace

std::string format_progress_bar(const Progress& progress, std::chrono::steady_clock::time_point now) {
  std::string text = progress.title + " ";
  if (progress.total > 0) {
    const uint64_t done = std::min(progress.done, progress.total);
    const auto cells = static_cast<size_t>(kBarCells * done / progress.total);
    std::array<char, 32> percent{};
    std::snprintf(percent.data(), percent.size(), "%3u%% |", static_cast<unsigned>(100 * done / progress.total));
    text += percent.data();
    text += std::string(cells, '#') + std::string(kBarCells - cells, ' ') + "| ";
  }
  return text + format_counts(progress, now);
}

std::string format_progress_line(const Progress& progress, std::chrono::steady_clock::time_point now) {
  return progress.title + ": " + format_counts(progress, now);
}

std::string format_progress_metrics(const RunState& run) {
  std::string text;
  for (const auto& name : run.prog_bar_metrics()) {
    if (const auto value = run.metric(name)) {
      text += " " + name + "=" + print_number("%.3g", *value);
    }
  }
  return text;
}

}  // namespace troupe
