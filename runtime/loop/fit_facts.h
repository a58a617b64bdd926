#pragma once

#include "troupe/runtime/event/event.h"
#include "troupe/runtime/loop/fit_data.h"
#include "troupe/runtime/loop/training.h"
#include "troupe/runtime/options/trainer_options.h"

namespace troupe {

/// What FitStarted says of a fit.
v1::FitStarted fit_facts(Training& training, const FitData& data, const TrainerOptions& options);

}  // namespace troupe
