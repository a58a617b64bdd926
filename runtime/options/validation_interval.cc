#include "troupe/runtime/options/validation_interval.h"

#include "troupe/runtime/base/duration.h"
#include "troupe/runtime/base/error.h"

namespace troupe {

ValidationInterval::ValidationInterval(const char* duration) : seconds_(parse_duration_s(duration)) {
  if (!seconds_) {
    throw ConfigError("a duration is written \"DD:HH:MM:SS\", got \"" + std::string(duration) + "\"");
  }
}

std::optional<ValidationInterval> ValidationInterval::parse(std::string_view text) {
  if (const auto seconds = parse_duration_s(text)) {
    ValidationInterval interval;
    interval.seconds_ = seconds;
    return interval;
  }
  const auto batches = CountOrFraction::parse(text);
  return batches ? std::optional(ValidationInterval(*batches)) : std::nullopt;
}

std::string ValidationInterval::to_string() const {
  return seconds_ ? duration_text(*seconds_) : batches_.to_string();
}

}  // namespace troupe
