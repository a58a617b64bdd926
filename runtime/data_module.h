#pragma once

#include <memory>

#include "runtime/data_loader.h"

namespace troupe {

/// The user's data: gives the loader of each stage. A stage without a loader (nullptr) is left out of a fit, and is an
/// error where it was asked for by name. Called on the thread that called the Trainer.
class DataModule {
 public:
  virtual ~DataModule() = default;
  DataModule() = default;
  DataModule(const DataModule&) = delete;
  DataModule& operator=(const DataModule&) = delete;

  /// Called once per Trainer call, before any loader is asked for.
  virtual void setup() {}
  virtual std::shared_ptr<DataLoader> train_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> val_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> test_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> predict_dataloader() { return nullptr; }
};

}  // namespace troupe
