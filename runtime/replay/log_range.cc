#include "troupe/runtime/replay/log_range.h"

#include <charconv>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

constexpr std::string_view kStepPrefix = "step=";
constexpr std::string_view kEpochPrefix = "epoch=";

bool begins_at(const NamedPlace& from, const Event& event) {
  switch (from.unit) {
    case NamedPlace::Unit::kSeq:
      return event.seq() >= from.number;
    case NamedPlace::Unit::kStep:
      return event.has_train_batch_ended() && event.position().global_step() >= from.number;
    case NamedPlace::Unit::kEpoch:
      return event.has_train_epoch_started() && event.position().epoch() >= from.number;
  }
  return false;
}

bool ends_at(const NamedPlace& until, const Event& event) {
  switch (until.unit) {
    case NamedPlace::Unit::kSeq:
      return event.seq() >= until.number;
    case NamedPlace::Unit::kStep:
      return event.has_train_batch_ended() && event.position().global_step() >= until.number;
    case NamedPlace::Unit::kEpoch:
      return event.has_train_epoch_ended() && event.position().epoch() >= until.number;
  }
  return false;
}

}  // namespace

NamedPlace parse_place(std::string_view text, const std::string& what) {
  NamedPlace place{NamedPlace::Unit::kSeq, 0, std::string(text)};
  std::string_view number = text;
  if (text.starts_with(kStepPrefix)) {
    place.unit = NamedPlace::Unit::kStep;
    number.remove_prefix(kStepPrefix.size());
  } else if (text.starts_with(kEpochPrefix)) {
    place.unit = NamedPlace::Unit::kEpoch;
    number.remove_prefix(kEpochPrefix.size());
  }
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), place.number);
  if (number.empty() || error != std::errc{} || end != number.data() + number.size()) {
    throw ConfigError(what + " " + std::string(text) + ": expected SEQ, step=N or epoch=N");
  }
  return place;
}

LogRange::LogRange(const std::string& from, const std::string& until) {
  if (!from.empty()) {
    from_ = parse_place(from, "--from");
  }
  if (!until.empty()) {
    until_ = parse_place(until, "--until");
  }
  if (from_ && until_ && from_->unit == until_->unit && from_->number > until_->number) {
    throw ConfigError("--from " + from + " lies behind --until " + until);
  }
}

bool LogRange::contains(const Event& event) {
  last_seq_ = event.seq();
  if (past_) {
    return false;
  }
  begun_ = begun_ || !from_ || begins_at(*from_, event);
  past_ = until_ && ends_at(*until_, event);
  return begun_;
}

std::string LogRange::problem() const {
  return begun_ || !from_ ? std::string()
                          : "nothing at --from " + from_->text + "; the log ends at seq " + std::to_string(last_seq_);
}

}  // namespace troupe
