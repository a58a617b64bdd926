#pragma once

#include <filesystem>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_module.h"
#include "troupe/actors/trainer.h"
#include "troupe/runtime/log/event_history.h"

namespace troupe {

/// Two epochs, quiet, in `run_dir`.
inline TrainerOptions tiny_options(const std::filesystem::path& run_dir) {
  TrainerOptions options;
  options.max_epochs = 2;
  options.enable_progress_bar = false;
  options.enable_model_summary = false;
  options.enable_checkpointing = false;
  options.run_dir = run_dir.string();
  return options;
}

/// Trains a fresh tiny module with whatever `prepare` adds, and gives its weights.
template <class Prepare>
std::vector<float> trained_weights(const std::filesystem::path& run_dir, Prepare&& prepare) {
  torch::manual_seed(1);
  TinyModule module;
  TinyData data;
  Trainer trainer(tiny_options(run_dir));
  prepare(trainer);
  trainer.fit(module, data);
  return weights_of(module);
}

/// The effective history of a run.
inline std::vector<Event> history_of(const std::filesystem::path& run_dir) {
  std::vector<Event> events;
  EventHistory history(run_dir / "events");
  for (Event event; history.next(event);) {
    events.push_back(event);
  }
  return events;
}

/// Those of one type.
template <EventBody E>
std::vector<Event> events_of(const std::filesystem::path& run_dir) {
  std::vector<Event> events = history_of(run_dir);
  std::erase_if(events, [](const Event& event) { return event.body_case() != EventTraits<E>::kType; });
  return events;
}

}  // namespace troupe
