#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/event/run_state.h"
#include "troupe/runtime/log/event_history.h"

namespace troupe {

/// What equal runs have in common, item by item: name to bytes.
using Fingerprint = std::map<std::string, std::string>;

/// The events of the effective history that equal runs share, recorded inputs among them, without what tells when and
/// in which process they happened, and without the interruption of a run that was resumed.
inline std::string shared_events(const std::filesystem::path& run_dir) {
  std::string bytes;
  EventHistory history(run_dir / "events");
  for (Event event; history.next(event);) {
    const bool interruption = event.input_recorded().has_signal() || event.checkpoint_taken().from() == "interrupt";
    if (interruption || event_info(event.body_case()).environmental) {
      continue;
    }
    event.clear_seq();
    event.clear_elapsed_us();
    if (event.has_command_applied()) {
      event.mutable_command_applied()->clear_cause_seq();
    }
    if (event.input_recorded().has_clock()) {
      event.mutable_input_recorded()->mutable_clock()->clear_elapsed_us();
    }
    bytes += event.SerializeAsString();
  }
  return bytes;
}

/// Tensors, training state and callback states of a checkpoint.
inline Fingerprint checkpoint_items(const std::filesystem::path& file) {
  const auto data = read_checkpoint(file);
  Fingerprint items;
  for (int i = 0; i < data.header.tensors_size(); ++i) {
    const auto& buffer = data.tensors[static_cast<size_t>(i)];
    items[data.header.tensors(i).name()] = std::string(reinterpret_cast<const char*>(buffer.data()), buffer.size());
  }
  v1::TrainingState state = *data.training_state;
  state.mutable_loop()->mutable_pending()->clear_cause_seq();  // A seq depends on environmental events.
  items["training_state"] = state.SerializeAsString();
  for (const auto& callback : data.callback_states) {
    v1::StateDict kept = callback.state();
    auto* entries = kept.mutable_entries();
    for (int i = entries->size() - 1; i >= 0; --i) {  // No two runs begin at the same time.
      if (entries->Get(i).name() == "clock_zero_unix_us") {
        entries->DeleteSubrange(i, 1);
      }
    }
    items["callback " + callback.state_key()] = kept.SerializeAsString();
  }
  items["run_state"] = RunState::from_proto(data.run_state).deterministic_bytes();
  return items;
}

/// Names of the items that differ.
inline std::set<std::string> differences(const Fingerprint& a, const Fingerprint& b) {
  std::set<std::string> names;
  for (const auto& [name, bytes] : a) {
    if (!b.contains(name) || b.at(name) != bytes) {
      names.insert(name);
    }
  }
  for (const auto& [name, bytes] : b) {
    if (!a.contains(name)) {
      names.insert(name);
    }
  }
  return names;
}

}  // namespace troupe
