#include "troupe/runtime/interchange/png_file.h"

#include <doctest/doctest.h>
#include <isa-l/igzip_lib.h>

#include <string>
#include <string_view>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/crc32.h"

using namespace troupe;

namespace {

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) {
    value = value << 8 | static_cast<unsigned char>(byte);
  }
  return value;
}

struct PngChunk {
  std::string type;
  std::string data;
};

/// Takes a PNG apart; every checksum is looked at.
std::vector<PngChunk> chunks_of(std::string_view png) {
  REQUIRE(png.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  png.remove_prefix(8);
  std::vector<PngChunk> chunks;
  while (!png.empty()) {
    const size_t size = big_endian(png);
    chunks.push_back({std::string(png.substr(4, 4)), std::string(png.substr(8, size))});
    CHECK(big_endian(png.substr(8 + size)) == crc32(bytes_of(png.substr(4, 4 + size))));
    png.remove_prefix(12 + size);
  }
  return chunks;
}

std::string inflated(std::string data, size_t bytes) {
  std::string result(bytes, '\0');
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_ZLIB;
  state.next_in = reinterpret_cast<uint8_t*>(data.data());
  state.avail_in = static_cast<uint32_t>(data.size());
  state.next_out = reinterpret_cast<uint8_t*>(result.data());
  state.avail_out = static_cast<uint32_t>(result.size());
  CHECK(isal_inflate_stateless(&state) == ISAL_DECOMP_OK);
  CHECK(state.total_out == bytes);
  return result;
}

/// The pixels of a PNG whose rows have the filter that looks to the left.
std::string pixels_of(const std::string& png, const ImageSize& size) {
  const size_t row_bytes = size_t{size.width} * size.channels;
  const std::string rows = inflated(chunks_of(png).at(1).data, (row_bytes + 1) * size.height);
  std::string pixels;
  for (size_t begin = 0; begin < rows.size(); begin += row_bytes + 1) {
    CHECK(rows[begin] == 1);
    for (size_t i = 0; i < row_bytes; ++i) {
      const char left = i < size.channels ? '\0' : pixels[pixels.size() - size.channels];
      pixels += static_cast<char>(left + rows[begin + 1 + i]);
    }
  }
  return pixels;
}

/// Bytes that hardly compress.
std::string noise(size_t bytes) {
  std::string text;
  for (uint32_t state = 1; text.size() < bytes;) {
    state = state * 1664525 + 1013904223;
    text += static_cast<char>(state >> 24);
  }
  return text;
}

}  // namespace

TEST_CASE("a PNG has header, pixels and end, and gives every pixel back, whatever the channels") {
  for (uint32_t channels = 1; channels <= 4; ++channels) {
    const ImageSize size{.width = 7, .height = 5, .channels = channels};
    const std::string pixels = noise(size_t{7} * 5 * channels);
    const std::string png = make_png(bytes_of(pixels), size);
    const auto chunks = chunks_of(png);
    REQUIRE(chunks.size() == 3);
    CHECK(chunks[0].type == "IHDR");
    CHECK(chunks[1].type == "IDAT");
    CHECK(chunks[2].type == "IEND");
    const std::string colour_types(" \0\4\2\6", 5);
    CHECK(chunks[0].data == std::string("\0\0\0\7\0\0\0\5\10", 9) + colour_types[channels] + std::string(3, '\0'));
    CHECK(pixels_of(png, size) == pixels);
  }
}

TEST_CASE("a large picture is compressed where it can be, and fits where it cannot") {
  const ImageSize size{.width = 600, .height = 500, .channels = 3};
  const std::string flat(size_t{600} * 500 * 3, 'x');
  CHECK(make_png(bytes_of(flat), size).size() < flat.size() / 50);
  const std::string wild = noise(flat.size());
  CHECK(pixels_of(make_png(bytes_of(wild), size), size) == wild);
}

TEST_CASE("a PNG of no pixels, of five channels or of bytes that are not those of the size is refused") {
  const std::string pixels(20, 'x');
  CHECK_THROWS_AS(make_png(bytes_of(pixels), {.width = 2, .height = 2, .channels = 5}), ConfigError);
  CHECK_THROWS_AS(make_png({}, {.width = 2, .height = 2, .channels = 0}), ConfigError);
  CHECK_THROWS_AS(make_png({}, {.width = 0, .height = 2, .channels = 1}), ConfigError);
  CHECK_THROWS_WITH_AS(make_png(bytes_of(pixels), {.width = 3, .height = 7, .channels = 1}),
                       doctest::Contains("20 bytes for 3 x 7 pixels of 1 channels"), ConfigError);
}
