#include "troupe/runtime/module/logged_media.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/small_fit.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/png_file.h"

using namespace troupe;

namespace {

std::string png_of(const std::string& pixels, uint32_t width, uint32_t height, uint32_t channels) {
  return make_png(bytes_of(pixels), {.width = width, .height = height, .channels = channels});
}

}  // namespace

TEST_CASE("a histogram counts the elements of a tensor of any type and layout") {
  const auto floats = torch::tensor({{0.F, 1.F}, {2.F, 4.F}});
  const auto counted = histogram_of("h", floats.t().requires_grad_(), 2);
  CHECK(counted.buckets(0) == 2);
  CHECK(counted.buckets(1) == 2);
  for (const auto type : {torch::kDouble, torch::kBFloat16, torch::kInt64, torch::kByte}) {
    CHECK(histogram_of("h", floats.to(type), 2).SerializeAsString() == counted.SerializeAsString());
  }
  CHECK(histogram_of("h", torch::tensor({true, false, true}), 2).buckets(1) == 2);
  CHECK_THROWS_WITH_AS(histogram_of("h", {}, 2), doctest::Contains("got an undefined one"), ConfigError);
  CHECK_THROWS_WITH_AS(histogram_of("h", torch::zeros({0, 2}), 2), doctest::Contains("Float and sizes [0, 2]"),
                       ConfigError);
  CHECK_THROWS_AS(histogram_of("h", torch::zeros({2}, torch::kComplexFloat), 2), ConfigError);
}

TEST_CASE("an image has its channels beside each other, floats clamped and rounded") {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMuch = std::numeric_limits<float>::infinity();
  const auto floats = torch::tensor({0.F, 1.F, 0.5F, -3.F, 2.F, kNone, kMuch, -kMuch, 0.1F}).reshape({3, 1, 3});
  const auto image = image_of("picture", floats);
  CHECK(image.name() == "picture");
  CHECK(image.width() == 3);
  CHECK(image.height() == 1);
  CHECK(image.channels() == 3);
  CHECK(image.png() == png_of(std::string("\x00\x00\xff\xff\xff\x00\x80\x00\x1a", 9), 3, 1, 3));
  const auto bytes = torch::tensor({1, 2, 3, 4, 5, 6}, torch::kByte).reshape({1, 3, 2});
  CHECK(image_of("picture", bytes).png() == png_of("\1\2\3\4\5\6", 2, 3, 1));
}

TEST_CASE("what is no image is refused, with its type and sizes") {
  CHECK_THROWS_WITH_AS(image_of("p", torch::zeros({3, 4})), doctest::Contains("Float and sizes [3, 4]"), ConfigError);
  CHECK_THROWS_AS(image_of("p", torch::zeros({5, 4, 4})), ConfigError);
  CHECK_THROWS_AS(image_of("p", torch::zeros({3, 0, 4})), ConfigError);
  CHECK_THROWS_AS(image_of("p", torch::zeros({3, 4, 4}, torch::kInt64)), ConfigError);
  CHECK_THROWS_AS(image_of("p", {}), ConfigError);
}

TEST_CASE("a module logs histograms, images and texts where it stands, in steps and in hooks") {
  SmallFit fit;
  fit.module->in_training_step = [&](int64_t batch_index) {
    fit.module->log_histogram("weights", fit.module->parameters()[0], 8);
    fit.module->log_image("picture", torch::ones({1, 2, 2}));
    fit.module->log_text("note", "batch " + std::to_string(batch_index) + " \xff");
  };
  fit.run();
  const auto histograms = fit.events<HistogramLogged>();
  REQUIRE(histograms.size() == 12);
  CHECK(histograms[2].histogram_logged().count() == 12);
  CHECK(histograms[2].histogram_logged().buckets_size() == 8);
  CHECK(histograms[2].position().batch_index() == 2);
  CHECK(histograms[2].position().global_step() == 2);
  REQUIRE(fit.events<ImageLogged>().size() == 12);
  const auto texts = fit.events<TextLogged>();
  REQUIRE(texts.size() == 12);
  CHECK(texts[7].text_logged().name() == "note");
  CHECK(texts[7].text_logged().text() == "batch 1 \xef\xbf\xbd");
  CHECK(texts[7].position().epoch() == 1);
}

TEST_CASE("a module logs nothing outside of a run, under no wrong name, and nothing with barebones") {
  SmallFit fit;
  CHECK_THROWS_WITH_AS(fit.module->log_text("note", ""),
                       "log_text('note'): allowed in the steps and hooks of a run only", ConfigError);
  CHECK_THROWS_AS(fit.module->log_image("p", torch::ones({1, 2, 2})), ConfigError);
  CHECK_THROWS_AS(fit.module->log_histogram("h", torch::ones(2)), ConfigError);
  fit.module->in_training_step = [&](int64_t) { fit.module->log_text("\xff", "text"); };
  CHECK_THROWS_WITH_AS(fit.run(), "log_text('?'): the name must be UTF-8", ConfigError);

  TrainerOptions bare = small_options();
  bare.barebones = true;
  SmallFit barebones(bare);
  barebones.module->in_training_step = [&](int64_t) { barebones.module->log_text("note", "text"); };
  barebones.run();
  CHECK(barebones.events<TextLogged>().empty());
}

TEST_CASE("what a module logs leaves the training as it is, and nothing in a trial") {
  SmallFit plain;
  plain.run();
  SmallFit logging;
  logging.module->in_training_step = [&](int64_t) {
    logging.module->log_histogram("weights", logging.module->parameters()[0]);
    logging.module->log_image("picture", torch::full({3, 4, 4}, 0.5));
  };
  logging.run();
  CHECK(logging.state_bytes() == plain.state_bytes());

  SmallFit trying;
  trying.module->in_training_step = [&](int64_t) { trying.module->log_text("note", "text"); };
  trying.live<TrainStarted>([](const TrainStarted&, Live& live) { live.run_trial({.steps = 3}); });
  trying.run();
  CHECK(trying.events<TextLogged>().size() == 12);
}

TEST_CASE("no trial is made in the middle of a step, where a module logs") {
  SmallFit fit;
  fit.module->in_training_step = [&](int64_t) { fit.module->log_text("note", "text"); };
  fit.live<TextLogged>([](const TextLogged&, Live& live) { live.run_trial({.steps = 1}); });
  CHECK_THROWS_WITH_AS(fit.run(), doctest::Contains("not allowed at TextLogged"), ConfigError);
}
