#include "runtime/callback.h"

#include <cxxabi.h>

#include <cstdlib>

namespace troupe {

std::string readable_type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? demangled.get() : type.name();
  constexpr std::string_view kOurs = "troupe::";
  if (name.starts_with(kOurs)) {
    name.erase(0, kOurs.size());
  }
  return name;
}

namespace callback_detail {

void add_every_recorded_event(CallbackInfo& info, bool with_run_state) {
  for (const auto& event : all_event_infos()) {
    if (!event.transient && !info.controls[event.type] && !info.observes[event.type]) {
      info.observes.set(event.type);
      info.run_state.set(event.type, with_run_state);
    }
  }
}

}  // namespace callback_detail
}  // namespace troupe
