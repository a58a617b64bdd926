#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "troupe/runtime/event/event.h"

namespace troupe {

/// A histogram of the elements of a tensor, as make_histogram counts them. Throws ConfigError when the tensor is
/// undefined, empty or complex.
HistogramLogged histogram_of(std::string_view name, const at::Tensor& values, int buckets);

/// A picture as a PNG: channels x height x width, 1 to 4 channels, floats that are clamped to 0 to 1, or uint8. Throws
/// ConfigError for anything else.
ImageLogged image_of(std::string_view name, const at::Tensor& image);

}  // namespace troupe
