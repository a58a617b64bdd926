#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "troupe/runtime/data/data_loader.h"

namespace troupe {

/// Batches that come one after the other until there are none left: from a socket, a file that grows, a generator.
/// Nobody knows how many there will be. Used from the loop's thread. It may not draw from LibTorch's default generator,
/// and has to give the same batches whenever it is made anew, or runs do not repeat.
class Stream {
 public:
  virtual ~Stream() = default;

  /// The next batch, nothing at the end. May block. What it throws ends the run.
  virtual std::optional<Batch> next() = 0;
  /// Leaves out so many batches: a run goes on in the middle of an epoch. By default it reads them; a stream that can
  /// seek does better.
  virtual void skip(int64_t batches);
};

/// Makes the stream of an epoch, counted from 0. Called when the epoch begins, or when a run goes on within it.
using StreamFactory = std::function<std::unique_ptr<Stream>(int64_t epoch)>;

/// A loader over streams, one an epoch, whose batches() is kUnknown. It fetches one batch ahead, so that the loop knows
/// the last one. Limits in batches hold; fractions of an unknown length but 0.0 and 1.0 are a ConfigError of the fit,
/// as is a val_check_interval that is one, and an epoch without any batch a DataError. `batch_size`: samples of a full
/// batch, for those who want to know; 0: not said.
std::shared_ptr<DataLoader> make_stream_loader(StreamFactory factory, int64_t batch_size = 0);

}  // namespace troupe
