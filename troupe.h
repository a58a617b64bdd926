#pragma once

/// What a first program needs: LibTorch, the Trainer, modules and their data, the built-in callbacks, and the command
/// line. Link troupe::troupe. It takes as long to compile as <torch/torch.h>; sources that need less of it include
/// single headers.

#include <torch/torch.h>

#include "troupe/actors/trainer.h"
#include "troupe/callbacks/averaging/ema_weight_averaging.h"
#include "troupe/callbacks/averaging/load_averaged_weights.h"
#include "troupe/callbacks/averaging/stochastic_weight_averaging.h"
#include "troupe/callbacks/checkpointing/model_checkpoint.h"
#include "troupe/callbacks/finetuning/backbone_finetuning.h"
#include "troupe/callbacks/finetuning/model_pruning.h"
#include "troupe/callbacks/finetuning/parameter_groups.h"
#include "troupe/callbacks/logging/csv_logger.h"
#include "troupe/callbacks/monitoring/learning_rate_monitor.h"
#include "troupe/callbacks/monitoring/model_summary.h"
#include "troupe/callbacks/progress/progress_bar.h"
#include "troupe/callbacks/stopping/early_stopping.h"
#include "troupe/callbacks/stopping/timer.h"
#include "troupe/deploy/run.h"
#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/data/tensor_dataset.h"
#include "troupe/runtime/module/load_weights.h"
