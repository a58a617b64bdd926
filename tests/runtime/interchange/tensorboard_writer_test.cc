#include "troupe/runtime/interchange/tensorboard_writer.h"

#include <doctest/doctest.h>

#include <fstream>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "tests/support/tensorboard_events.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;
using namespace troupe::testing;

namespace {

using Lines = std::vector<std::string>;

google::protobuf::RepeatedPtrField<v1::Metric> scalars(const std::string& name, double value) {
  google::protobuf::RepeatedPtrField<v1::Metric> metrics;
  metrics.Add()->set_name(name);
  metrics[0].set_value(value);
  return metrics;
}

constexpr TensorBoardWriter::Place kPlace{.step = 3, .wall_time_s = 100.5};

}  // namespace

TEST_CASE("a TensorBoard file begins with its version, and has every value as soon as it was added") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "deep/events.out.tfevents.1";
  TensorBoardWriter writer(path, 0, 99);
  CHECK(tensorboard_lines(path) == Lines{"0 brain.Event:2"});
  auto metrics = scalars("a", 0.5);
  metrics.Add()->set_name("b");
  writer.add_scalars(metrics, kPlace);
  CHECK(tensorboard_lines(path) == Lines{"0 brain.Event:2", "3 a 0.5", "3 b 0"});
  CHECK(tensorboard_events(path).at(0).wall_time() == 99);
  CHECK(tensorboard_events(path).at(1).wall_time() == 100.5);
  CHECK(writer.bytes() == std::filesystem::file_size(path));
}

TEST_CASE("TensorBoard gets a histogram with the upper limit of every bucket") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tfevents";
  v1::HistogramLogged histogram;
  histogram.set_name("weights");
  histogram.set_count(6);
  histogram.set_min(-1);
  histogram.set_max(2);
  histogram.set_sum(4);
  histogram.set_sum_squares(8);
  for (const uint64_t count : {1, 2, 3}) {
    histogram.add_buckets(count);
  }
  TensorBoardWriter(path, 0, 99).add_histogram(histogram, kPlace);
  const auto event = tensorboard_events(path).at(1);
  const auto& value = event.summary().value(0);
  CHECK(value.tag() == "weights");
  CHECK(value.histo().ShortDebugString() ==
        "min: -1 max: 2 num: 6 sum: 4 sum_squares: 8 bucket_limit: 0 bucket_limit: 1 bucket_limit: 2 bucket: 1 "
        "bucket: 2 bucket: 3");
}

TEST_CASE("TensorBoard gets images and texts for the dashboards that show them") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tfevents";
  TensorBoardWriter writer(path, 0, 99);
  v1::ImageLogged image;
  image.set_name("picture");
  image.set_width(4);
  image.set_height(2);
  image.set_channels(3);
  image.set_png("the file");
  writer.add_image(image, kPlace);
  v1::TextLogged text;
  text.set_name("note");
  text.set_text("*hello*");
  writer.add_text(text, kPlace);
  const auto events = tensorboard_events(path);
  CHECK(events.at(1).summary().value(0).ShortDebugString() ==
        "tag: \"picture\" image { height: 2 width: 4 colorspace: 3 encoded_image_string: \"the file\" }");
  CHECK(events.at(2).summary().value(0).ShortDebugString() ==
        "tag: \"note\" tensor { dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: \"*hello*\" } metadata "
        "{ plugin_data { plugin_name: \"text\" } data_class: DATA_CLASS_TENSOR }");
}

TEST_CASE("TensorBoard gets a configuration as hyperparameters, nested names joined by dots, and how the run ended") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tfevents";
  TensorBoardWriter writer(path, 0, 99);
  writer.add_hyperparameters(R"({"a": 1.5, "b": {"c": true, "d": "x"}, "e": [1, 2], "f": null})", 100);
  writer.add_session_end(v1::RUN_STATUS_STOPPED, 101);
  const auto events = tensorboard_events(path);
  const auto& start = events.at(1).summary().value(0);
  CHECK(start.tag() == "_hparams_/session_start_info");
  CHECK(start.metadata().plugin_data().plugin_name() == "hparams");
  tensorboard::HParamsPluginData data;
  REQUIRE(data.ParseFromString(start.metadata().plugin_data().content()));
  CHECK(data.session_start_info().start_time_secs() == 100);
  const auto& hparams = data.session_start_info().hparams();
  CHECK(hparams.size() == 4);
  CHECK(hparams.at("a").number_value() == 1.5);
  CHECK(hparams.at("b.c").bool_value());
  CHECK(hparams.at("b.d").string_value() == "x");
  CHECK(hparams.at("e").string_value() == "[1,2]");
  REQUIRE(data.ParseFromString(events.at(2).summary().value(0).metadata().plugin_data().content()));
  CHECK(data.session_end_info().status() == tensorboard::STATUS_SUCCESS);
  CHECK(data.session_end_info().end_time_secs() == 101);
  CHECK_THROWS_AS(writer.add_hyperparameters("{", 100), ConfigError);
}

TEST_CASE("a TensorBoard file is cut back to a size that it had, or to its last whole record") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tfevents";
  uint64_t first = 0;
  uint64_t second = 0;
  {
    TensorBoardWriter writer(path, 0, 99);
    writer.add_scalars(scalars("a", 1), kPlace);
    first = writer.bytes();
    writer.add_scalars(scalars("a", 2), kPlace);
    second = writer.bytes();
    writer.add_scalars(scalars("a", 3), kPlace);
  }
  SUBCASE("to a size") {
    TensorBoardWriter again(path, first, 99);
    CHECK(again.bytes() == first);
  }
  SUBCASE("torn") {
    std::filesystem::resize_file(path, second - 1);
    TensorBoardWriter again(path, second, 99);
    CHECK(again.bytes() == first);
  }
  CHECK(tensorboard_lines(path) == Lines{"0 brain.Event:2", "3 a 1"});
  TensorBoardWriter(path, first, 99).add_scalars(scalars("a", 4), kPlace);
  CHECK(tensorboard_lines(path) == Lines{"0 brain.Event:2", "3 a 1", "3 a 4"});
  const TensorBoardWriter emptied(path, 0, 99);
  CHECK(tensorboard_lines(path) == Lines{"0 brain.Event:2"});
}
