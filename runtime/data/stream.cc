#include "troupe/runtime/data/stream.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

class StreamLoader final : public DataLoader {
 public:
  StreamLoader(StreamFactory factory, int64_t batch_size) : factory_(std::move(factory)), batch_size_(batch_size) {}

  int64_t batches() const override { return kUnknown; }

  void begin(int64_t epoch, int64_t first_batch) override {
    if (epoch < 0 || first_batch < 0) {
      throw ConfigError("stream: there is no batch " + std::to_string(first_batch) + " of epoch " +
                        std::to_string(epoch));
    }
    ahead_.reset();
    ended_ = false;
    stream_ = factory_(epoch);
    if (stream_ == nullptr) {
      throw ConfigError("stream: the factory gave none for epoch " + std::to_string(epoch));
    }
    if (first_batch > 0) {
      stream_->skip(first_batch);
    }
  }

  bool at_end() override {
    fetch();
    return !ahead_;
  }

  Batch next() override {
    fetch();
    if (!ahead_) {
      throw std::out_of_range("stream: next() past the last batch of the epoch");
    }
    return *std::exchange(ahead_, std::nullopt);
  }

  int64_t batch_size() const override { return batch_size_; }

  std::shared_ptr<DataLoader> another(int64_t batch_size) const override {
    return batch_size == 0 ? std::make_shared<StreamLoader>(factory_, batch_size_) : nullptr;
  }

 private:
  void fetch() {
    if (stream_ == nullptr) {
      begin(0, 0);
    }
    if (!ahead_ && !ended_) {
      ahead_ = stream_->next();
      ended_ = !ahead_;
    }
  }

  StreamFactory factory_;
  int64_t batch_size_;
  std::unique_ptr<Stream> stream_;
  std::optional<Batch> ahead_;
  bool ended_ = false;  // The stream has said so: it is not asked again.
};

}  // namespace

void Stream::skip(int64_t batches) {
  for (int64_t i = 0; i < batches; ++i) {
    if (!next()) {
      throw DataError("stream: it ended after " + std::to_string(i) + " batches; " + std::to_string(batches) +
                      " were to be left out, which it had given before");
    }
  }
}

std::shared_ptr<DataLoader> make_stream_loader(StreamFactory factory, int64_t batch_size) {
  if (!factory || batch_size < 0) {
    throw ConfigError(factory ? "stream: batch_size must be at least 0, got " + std::to_string(batch_size)
                              : "stream: no factory was given");
  }
  return std::make_shared<StreamLoader>(std::move(factory), batch_size);
}

}  // namespace troupe
