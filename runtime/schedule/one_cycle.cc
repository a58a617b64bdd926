#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troupe/runtime/options/schedule_argument.h"
#include "troupe/runtime/schedule/lr_schedule.h"

namespace troupe::lr_schedule {
namespace {

/// Where the cycle goes from and to, as it does in a phase.
enum class Level { kInitial, kMax, kMin };

struct Phase {
  double end_step;
  Level start;
  Level end;
};

std::vector<Phase> phases_of(const OneCycleOptions& options) {
  const auto total = static_cast<double>(options.total_steps);
  const double peak = options.pct_start * total - 1;
  if (options.three_phase) {
    return {{peak, Level::kInitial, Level::kMax},
            {2 * options.pct_start * total - 2, Level::kMax, Level::kInitial},
            {total - 1, Level::kInitial, Level::kMin}};
  }
  return {{peak, Level::kInitial, Level::kMax}, {total - 1, Level::kMax, Level::kMin}};
}

/// The phase of a step, and what part of it is over.
std::pair<Phase, double> place_of(const std::vector<Phase>& phases, int64_t step) {
  const double at = std::min(static_cast<double>(step), phases.back().end_step);
  double start = 0;
  size_t index = 0;
  while (index + 1 < phases.size() && at > phases[index].end_step) {
    start = phases[index].end_step;
    ++index;
  }
  const double length = phases[index].end_step - start;
  return {phases[index], length == 0 ? 1.0 : (at - start) / length};
}

double anneal(AnnealStrategy strategy, double start, double end, double part) {
  return strategy == AnnealStrategy::kCos ? end + (start - end) / 2.0 * (std::cos(std::numbers::pi * part) + 1)
                                          : (end - start) * part + start;
}

void require_positive(const char* argument, double value) {
  require_argument(value > 0 && std::isfinite(value), "one_cycle", argument, value, "above 0");
}

void require_allowed(const OneCycleOptions& options) {
  require_argument(options.total_steps >= 1, "one_cycle", "total_steps", options.total_steps, "at least 1");
  const double pct_start = options.pct_start;
  if (options.three_phase) {
    require_argument(pct_start > 0 && pct_start <= 0.5, "one_cycle", "pct_start", pct_start,
                     "in (0, 0.5] with three_phase");
  }
  require_argument(pct_start >= 0 && pct_start <= 1, "one_cycle", "pct_start", pct_start, "in [0, 1]");
  if (options.max_lr) {
    require_positive("max_lr", *options.max_lr);
  }
  require_positive("div_factor", options.div_factor);
  require_positive("final_div_factor", options.final_div_factor);
  require_argument(options.max_momentum >= 0 && options.max_momentum < 1, "one_cycle", "max_momentum",
                   options.max_momentum, "in [0, 1)");
  require_argument(options.base_momentum >= 0 && options.base_momentum <= options.max_momentum, "one_cycle",
                   "base_momentum", options.base_momentum, "in [0, max_momentum]");
}

std::string name_of(const OneCycleOptions& options) {
  std::string name = "one_cycle(total_steps=" + argument_text(options.total_steps);
  if (options.max_lr) {
    name += ", max_lr=" + argument_text(*options.max_lr);
  }
  name += ", pct_start=" + argument_text(options.pct_start);
  name += options.anneal_strategy == AnnealStrategy::kLinear ? ", anneal_strategy=linear" : "";
  name += options.three_phase ? ", three_phase" : "";
  return name + ")";
}

}  // namespace

LrSchedule one_cycle(const OneCycleOptions& options) {
  require_allowed(options);
  const auto phases = phases_of(options);
  const auto rate = [options, phases](double base_lr, int64_t step) {
    const double max = options.max_lr.value_or(base_lr);
    const double initial = max / options.div_factor;
    const double min = initial / options.final_div_factor;
    const auto value = [&](Level level) {
      return level == Level::kMax ? max : level == Level::kInitial ? initial : min;
    };
    const auto [phase, part] = place_of(phases, step);
    return anneal(options.anneal_strategy, value(phase.start), value(phase.end), part);
  };
  LrSchedule::MomentumFunction momentum;
  if (options.cycle_momentum) {
    momentum = [options, phases](int64_t step) -> std::optional<double> {
      const auto value = [&](Level level) {
        return level == Level::kMax ? options.base_momentum : options.max_momentum;
      };
      const auto [phase, part] = place_of(phases, step);
      return anneal(options.anneal_strategy, value(phase.start), value(phase.end), part);
    };
  }
  return {name_of(options), rate, std::move(momentum)};
}

}  // namespace troupe::lr_schedule
