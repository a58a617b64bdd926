#pragma once

/// What a first program needs: LibTorch, the Trainer, modules and their data, the built-in callbacks, and the command
/// line. Link troupe::troupe. It takes as long to compile as <torch/torch.h>; sources that need less of it include
/// single headers.

#include <torch/torch.h>

#include "troupe/actors/trainer.h"
#include "troupe/callbacks/csv_logger.h"
#include "troupe/callbacks/early_stopping.h"
#include "troupe/callbacks/learning_rate_monitor.h"
#include "troupe/callbacks/model_checkpoint.h"
#include "troupe/callbacks/model_summary.h"
#include "troupe/callbacks/progress_bar.h"
#include "troupe/callbacks/timer.h"
#include "troupe/deploy/run.h"
#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/module/load_weights.h"
