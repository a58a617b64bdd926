#include "troupe/runtime/data/stream.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <stdexcept>

#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

/// Gives batches 0, 1, ... of an epoch, and counts how often it is asked.
class CountedStream : public Stream {
 public:
  CountedStream(int64_t epoch, int64_t batches, int* asked) : epoch_(epoch), batches_(batches), asked_(asked) {}
  std::optional<Batch> next() override {
    ++*asked_;
    if (position_ == batches_) {
      return std::nullopt;
    }
    return Batch{torch::full({2}, static_cast<double>(100 * epoch_ + position_++)), {}, {}};
  }

 private:
  int64_t epoch_;
  int64_t batches_;
  int64_t position_ = 0;
  int* asked_;
};

std::vector<double> rest_of_stream(DataLoader& loader) {
  std::vector<double> values;
  while (!loader.at_end()) {
    values.push_back(loader.next().data[0].item<double>());
  }
  return values;
}

}  // namespace

TEST_CASE("a stream's loader gives its batches until it ends, anew in every epoch") {
  int asked = 0;
  const auto loader =
      make_stream_loader([&](int64_t epoch) { return std::make_unique<CountedStream>(epoch, 3 + epoch, &asked); });
  CHECK(loader->batches() == DataLoader::kUnknown);
  CHECK(rest_of_stream(*loader) == std::vector<double>{0, 1, 2});
  CHECK_THROWS_AS(loader->next(), std::out_of_range);
  CHECK(loader->at_end());
  CHECK(asked == 4);  // An ended stream is not asked again.
  loader->begin(1, 0);
  CHECK(rest_of_stream(*loader) == std::vector<double>{100, 101, 102, 103});
  loader->begin(1, 2);
  CHECK(rest_of_stream(*loader) == std::vector<double>{102, 103});
  const auto other = loader->another(0);
  REQUIRE(other != nullptr);
  CHECK(rest_of_stream(*other) == std::vector<double>{0, 1, 2});
  CHECK(loader->another(5) == nullptr);
}

TEST_CASE("a stream that ends before the place to go on from is an error that says where") {
  int asked = 0;
  const auto loader =
      make_stream_loader([&](int64_t epoch) { return std::make_unique<CountedStream>(epoch, 3, &asked); });
  CHECK_THROWS_WITH_AS(loader->begin(0, 5),
                       "stream: it ended after 3 batches; 5 were to be left out, which it had given before", DataError);
  CHECK_THROWS_AS(make_stream_loader({}), ConfigError);
  CHECK_THROWS_AS(make_stream_loader([](int64_t) { return nullptr; }, -1), ConfigError);
  CHECK_THROWS_AS(make_stream_loader([](int64_t) { return nullptr; })->at_end(), ConfigError);
}
