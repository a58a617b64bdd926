#pragma once

#include <cstdint>
#include <string>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

/// The size of an image, in pixels.
struct ImageSize {
  uint32_t width = 0;
  uint32_t height = 0;
  uint32_t channels = 0;  ///< 1: grey, 2: grey and alpha, 3: RGB, 4: RGBA.
};

/// A PNG file of 8 bits a channel (ISO/IEC 15948). `pixels`: row by row from the top, the channels of a pixel beside
/// each other. The bytes, though not what they decode to, may differ between processors. Throws ConfigError when a size
/// is 0, there are more than 4 channels, or `pixels` is not width x height x channels bytes.
std::string make_png(ByteView pixels, const ImageSize& size);

}  // namespace troupe
