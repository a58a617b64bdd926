#include "troupe/runtime/callback/callback.h"

#include <cxxabi.h>

#include <algorithm>
#include <concepts>
#include <cstdlib>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/callback/callback_inspection.h"

namespace troupe {

std::string readable_type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? demangled.get() : type.name();
  constexpr std::string_view kUnnamed = "(anonymous namespace)::";  // A program's own classes usually lie in one.
  for (size_t place = 0; (place = name.find(kUnnamed, place)) != std::string::npos;) {
    name.erase(place, kUnnamed.size());
  }
  constexpr std::string_view kOurs = "troupe::";
  if (name.starts_with(kOurs)) {
    name.erase(0, kOurs.size());
  }
  return name;
}

namespace callback_detail {

void add_every_recorded_event(CallbackInfo& info, bool with_run_state) {
  for (const auto& event : all_event_infos()) {
    if (!event.transient && !info.controls[event.type] && !info.lives[event.type] && !info.observes[event.type]) {
      info.observes.set(event.type);
      info.run_state.set(event.type, with_run_state);
    }
  }
}

void check_ask_when(const CallbackInfo& info) {
  for (const auto& line : info.ask_when) {
    if (!info.controls[line.event] && !info.lives[line.event]) {
      throw ConfigError("callback " + info.state_key + ": ask_when() has a line for " +
                        std::string(event_info(line.event).name) +
                        ", for which it has no hook with Control& or Live&; an observer's hook gets every event");
    }
  }
}

void narrow(CallbackInfo& info, const EventTypeSet& taken) {
  for (EventTypeSet* hooks : {&info.observes, &info.run_state, &info.outputs, &info.controls, &info.lives}) {
    *hooks &= taken;
  }
}

void resolve_policy(CallbackInfo& info, bool renewable) {
  constexpr int64_t kDefaultRestarts = 5;
  auto& policy = info.policy;
  const bool lossless = info.stateful || info.decides();
  if (lossless && policy.lane.value_or(LanePolicy::kSpill) != LanePolicy::kSpill) {
    throw ConfigError("callback " + info.state_key + ": 'lane' must be spill: a callback with state or decisions may " +
                      "lose no event");
  }
  if (!policy.lane) {
    policy.lane = lossless ? LanePolicy::kSpill : LanePolicy::kDropOldest;
  }
  if (policy.max_restarts.value_or(0) > 0 && !renewable) {
    throw ConfigError("callback " + info.state_key + ": 'max_restarts' is " + std::to_string(*policy.max_restarts) +
                      ", but its class cannot be copied: add it with a factory, Trainer::add_with, or allow 0");
  }
  if (!policy.max_restarts) {
    policy.max_restarts = renewable ? kDefaultRestarts : 0;
  }
  std::sort(info.user_events.begin(), info.user_events.end());
}

}  // namespace callback_detail
}  // namespace troupe
