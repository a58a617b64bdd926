#pragma once

#include <string>

#include "troupe/runtime/event/event_emitter.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/optimization.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// Which commands make no sense where a fit stands. Looks at the fit, changes nothing.
class CommandRefusals {
 public:
  /// All must outlive it.
  CommandRefusals(Training& training, const FitData& data, const Optimization& optimization,
                  const EventEmitter& emitter, const TrainerOptions& options)
      : training_(training), data_(data), optimization_(optimization), emitter_(emitter), options_(options) {}

  /// Why a command is refused that answers an event of the type `about`; empty when it can be carried out.
  std::string refusal(const Decision& decision, EventType about) const;

 private:
  std::string checkpoint_refusal(const Decision& decision, EventType about) const;
  std::string group_refusal(const std::string& group) const;

  Training& training_;
  const FitData& data_;
  const Optimization& optimization_;
  const EventEmitter& emitter_;
  const TrainerOptions& options_;
};

}  // namespace troupe
