#pragma once

#include "troupe/runtime/event/event_sink.h"
#include "troupe/runtime/loop/evaluation_loop.h"
#include "troupe/runtime/loop/run_frame.h"

namespace troupe {

/// A run of one evaluation stage by itself: opening, SetUp, the stage, TornDown. `options` are the effective ones: they
/// limit each loader. Commands of controllers that only make sense in a fit are refused. Throws Interrupted at the
/// batch boundary after a signal, and what the module, the data or the sink threw.
EvaluationResult run_evaluation(ModuleScope& scope, const DataLoaders& loaders, const TrainerOptions& options,
                                EventSink& sink, RunOpening opening);

}  // namespace troupe
