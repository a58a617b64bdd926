#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "troupe/runtime/options/options.h"

namespace troupe {

/// What becomes of events that come while a callback's lane is full.
enum class LanePolicy {
  kDropOldest,  ///< The oldest waiting ones are dropped, counted, and reported as CallbackEventsDropped.
  kCoalesce,    ///< Of each type the latest one is kept; the others are dropped and counted.
  kSpill,       ///< They are read from the event log when the callback gets there: no recorded event is lost.
};

template <>
struct EnumNames<LanePolicy> {
  static constexpr std::array<std::pair<LanePolicy, std::string_view>, 3> kNames{
      {{LanePolicy::kDropOldest, "drop_oldest"}, {LanePolicy::kCoalesce, "coalesce"}, {LanePolicy::kSpill, "spill"}}};
};

/// What a controller that throws does to the run.
enum class FailurePolicy {
  kFail,    ///< The run fails with the controller's name and message.
  kDetach,  ///< The controller is detached and its votes lapse; training goes on.
};

template <>
struct EnumNames<FailurePolicy> {
  static constexpr std::array<std::pair<FailurePolicy, std::string_view>, 2> kNames{
      {{FailurePolicy::kFail, "fail"}, {FailurePolicy::kDetach, "detach"}}};
};

/// What a controller that does not answer in time does to the run.
enum class DeadlinePolicy {
  kFail,    ///< The run fails with the controller's name.
  kDetach,  ///< The controller is detached and its votes lapse; training goes on.
  kWait,    ///< The run waits; that the deadline passed is recorded.
};

template <>
struct EnumNames<DeadlinePolicy> {
  static constexpr std::array<std::pair<DeadlinePolicy, std::string_view>, 3> kNames{
      {{DeadlinePolicy::kFail, "fail"}, {DeadlinePolicy::kDetach, "detach"}, {DeadlinePolicy::kWait, "wait"}}};
};

/// The name of an enumerator of an enum that is an option.
template <class E>
constexpr std::string_view enum_name(E wanted) {
  for (const auto& [value, name] : EnumNames<E>::kNames) {
    if (value == wanted) {
      return name;
    }
  }
  return {};
}

/// How the runtime deals with one callback. A class may have its own as `static constexpr CallbackPolicy kPolicy`;
/// Trainer::add and configuration files ("policy") override it.
struct CallbackPolicy {
  /// Seconds that the loop waits for a controller; inf: for ever. Unset: trainer option controller_deadline_s.
  std::optional<double> deadline_s = std::nullopt;
  /// By default kSpill for a class with state or with a controller hook, which must be (ConfigError otherwise), and
  /// kDropOldest for others.
  std::optional<LanePolicy> lane = std::nullopt;
  int64_t lane_bytes_max = 256 << 20;  ///< Bytes of StepOutputs that wait in memory, at most.
  int64_t lane_events_max = 65536;     ///< Events that wait in memory, at most.
  /// Restarts of an observer that throws, over a run; then it is detached. Unset: 5 if it can be copied or has a
  /// factory, otherwise 0.
  std::optional<int64_t> max_restarts = std::nullopt;
  DeadlinePolicy on_deadline = DeadlinePolicy::kFail;  ///< Of a controller.
  FailurePolicy on_failure = FailurePolicy::kFail;     ///< Of a controller.
  bool own_thread = false;  ///< Its hooks may block for long: they get a thread of their own. Controllers always do.
  /// Its controller hooks never block and are trusted to return at once: the waiting loop runs them itself, which saves
  /// waking another thread. There is no deadline for them. The built-in controllers are.
  bool prompt = false;
  bool redeliver = true;  ///< A restarted observer gets the events since its state again. Off: it goes on from here.

  void describe(OptionVisitor& visit);
};

}  // namespace troupe
