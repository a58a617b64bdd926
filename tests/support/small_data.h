#pragma once

#include <memory>

#include "tests/support/small_fit.h"
#include "troupe/runtime/data/data_module.h"

namespace troupe {

/// The data of a SmallFit for a Trainer.
class SmallData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override { return small_loader(); }
  std::shared_ptr<DataLoader> val_dataloader() override { return small_loader(12); }
  std::shared_ptr<DataLoader> predict_dataloader() override { return small_loader(10); }
};

}  // namespace troupe
