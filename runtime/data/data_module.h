#pragma once

#include <memory>
#include <vector>

#include "troupe/runtime/data/data_loader.h"
#include "troupe/runtime/event/event.h"
#include "troupe/runtime/state/state_dict.h"

namespace troupe {

/// The loaders of one stage, in the order in which they are gone through.
using DataLoaders = std::vector<std::shared_ptr<DataLoader>>;

/// The user's data: gives the loader of each stage. A stage without a loader (nullptr) is left out of a fit, and is an
/// error where it was asked for by name. Called on the thread that called the Trainer.
class DataModule {
 public:
  virtual ~DataModule() = default;
  DataModule() = default;
  DataModule(const DataModule&) = delete;
  DataModule& operator=(const DataModule&) = delete;

  /// Called at the start of every Trainer call: fetch and unpack here what other processes may share.
  virtual void prepare_data() {}
  /// Called after it, before any loader is asked for, and before the module's own setup.
  virtual void setup(Stage /*stage*/) {}
  /// Called when the call is over, also after an exception, and after the module's own teardown.
  virtual void teardown(Stage /*stage*/) {}
  /// What a checkpoint keeps of it, copied at CheckpointTaken. A resumed fit gives it back after setup, before any
  /// loader is asked for. Where the loaders stand is kept anyway.
  virtual StateDict state_dict() const { return {}; }
  virtual void load_state_dict(const StateDict& /*state*/) {}
  virtual std::shared_ptr<DataLoader> train_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> val_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> test_dataloader() { return nullptr; }
  virtual std::shared_ptr<DataLoader> predict_dataloader() { return nullptr; }
  /// Several loaders for a stage: override these instead. By default the one above, or none.
  virtual DataLoaders val_dataloaders() { return one(val_dataloader()); }
  virtual DataLoaders test_dataloaders() { return one(test_dataloader()); }
  virtual DataLoaders predict_dataloaders() { return one(predict_dataloader()); }

 private:
  static DataLoaders one(std::shared_ptr<DataLoader> loader) {
    return loader ? DataLoaders{std::move(loader)} : DataLoaders();
  }
};

}  // namespace troupe
