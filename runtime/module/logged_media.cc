#include "troupe/runtime/module/logged_media.h"

#include <ATen/ATen.h>

#include <span>
#include <sstream>
#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/event/histogram.h"
#include "troupe/runtime/interchange/png_file.h"

namespace troupe {
namespace {

std::string described(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return "an undefined one";
  }
  std::ostringstream text;
  text << "one of type " << tensor.scalar_type() << " and sizes " << tensor.sizes();
  return text.str();
}

template <class Element>
std::span<const Element> elements_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<Element>(), static_cast<size_t>(tensor.numel())};
}

bool is_image(const at::Tensor& image) {
  return image.defined() && image.dim() == 3 && image.numel() > 0 && image.size(0) <= 4 &&
         (image.is_floating_point() || image.scalar_type() == at::kByte);
}

/// Height x width x channels of bytes, in memory one after the other.
at::Tensor bytes_of_pixels(const at::Tensor& image) {
  at::Tensor pixels = image.detach().cpu();
  if (pixels.is_floating_point()) {
    pixels = pixels.to(at::kFloat).nan_to_num(0.0, 1.0, 0.0).clamp(0, 1).mul(255).round().to(at::kByte);
  }
  return pixels.permute({1, 2, 0}).contiguous();
}

}  // namespace

HistogramLogged histogram_of(std::string_view name, const at::Tensor& values, int buckets) {
  if (!values.defined() || values.numel() == 0 || values.is_complex()) {
    throw ConfigError("log_histogram('" + std::string(name) +
                      "'): needs a tensor of real numbers with at least one element, got " + described(values));
  }
  const at::Tensor dense = values.detach().cpu().contiguous();
  if (dense.scalar_type() == at::kFloat) {
    return make_histogram(std::string(name), elements_of<float>(dense), buckets);
  }
  const at::Tensor doubles = dense.to(at::kDouble);
  return make_histogram(std::string(name), elements_of<double>(doubles), buckets);
}

ImageLogged image_of(std::string_view name, const at::Tensor& image) {
  if (!is_image(image)) {
    throw ConfigError("log_image('" + std::string(name) +
                      "'): needs a tensor of sizes [channels, height, width], 1 to 4 channels, of floats from 0 to 1 "
                      "or of uint8, got " +
                      described(image));
  }
  const at::Tensor pixels = bytes_of_pixels(image);
  const ImageSize size{.width = static_cast<uint32_t>(pixels.size(1)),
                       .height = static_cast<uint32_t>(pixels.size(0)),
                       .channels = static_cast<uint32_t>(pixels.size(2))};
  ImageLogged logged;
  logged.set_name(std::string(name));
  logged.set_width(size.width);
  logged.set_height(size.height);
  logged.set_channels(size.channels);
  logged.set_png(make_png(std::as_bytes(elements_of<uint8_t>(pixels)), size));
  return logged;
}

}  // namespace troupe
