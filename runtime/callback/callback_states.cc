#include "troupe/runtime/callback/callback_states.h"

#include <algorithm>
#include <iostream>

#include "troupe/runtime/state/state_dict.h"

namespace troupe {
namespace {

using LoadedStates = std::map<std::string, v1::CallbackState>;

Callback* with_state_key(const Callbacks& callbacks, const std::string& key) {
  const auto found = std::find_if(callbacks.begin(), callbacks.end(),
                                  [&](const auto& callback) { return callback->info().state_key == key; });
  return found == callbacks.end() ? nullptr : found->get();
}

void load_state(Callback& callback, const v1::CallbackState& state, LoadedStates& loaded) {
  callback.load_state_dict(StateDict(state.state()));
  loaded[callback.info().state_key] = state;
}

/// A state whose key no callback has, and who may take it.
struct LeftState {
  const v1::CallbackState& state;
  std::vector<Callback*> heirs;
};

std::vector<Callback*> heirs_of(const std::string& key, const Callbacks& callbacks, const LoadedStates& loaded) {
  std::vector<Callback*> heirs;
  for (const auto& callback : callbacks) {
    if (!loaded.contains(callback->info().state_key) && callback->takes_state_of(key)) {
      heirs.push_back(callback.get());
    }
  }
  return heirs;
}

/// Who takes the state, where nobody else may and it may take no other one; else null.
Callback* only_heir(const LeftState& state, const std::vector<LeftState>& left) {
  if (state.heirs.size() != 1) {
    return nullptr;
  }
  Callback* heir = state.heirs.front();
  const auto claims = std::count_if(left.begin(), left.end(), [&](const LeftState& other) {
    return std::find(other.heirs.begin(), other.heirs.end(), heir) != other.heirs.end();
  });
  return claims == 1 ? heir : nullptr;
}

void report_left(const LeftState& left) {
  std::string text = "troupe: warning: the checkpoint holds the state of " + left.state.state_key() +
                     ", which is not among the callbacks";
  for (const auto* heir : left.heirs) {
    text.append(heir == left.heirs.front() ? "; whether it is that of " : " or ").append(heir->info().state_key);
  }
  text.append(left.heirs.empty() ? "\n" : " cannot be told, so nothing takes it\n");
  std::cerr << text;
}

}  // namespace

std::map<std::string, v1::CallbackState> load_states(const Callbacks& callbacks,
                                                     const std::vector<v1::CallbackState>& states) {
  std::map<std::string, v1::CallbackState> loaded;
  std::vector<LeftState> left;
  for (const auto& state : states) {
    if (Callback* callback = with_state_key(callbacks, state.state_key())) {
      load_state(*callback, state, loaded);
    } else {
      left.push_back({state, {}});
    }
  }
  for (auto& state : left) {
    state.heirs = heirs_of(state.state.state_key(), callbacks, loaded);
  }
  for (const auto& state : left) {
    if (Callback* heir = only_heir(state, left)) {
      load_state(*heir, state.state, loaded);
    } else {
      report_left(state);
    }
  }
  return loaded;
}

}  // namespace troupe
