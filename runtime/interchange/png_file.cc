#include "troupe/runtime/interchange/png_file.h"

#include <isa-l/igzip_lib.h>

#include <array>
#include <string_view>
#include <vector>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/crc32.h"

namespace troupe {
namespace {

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

void append_big_endian(std::string& bytes, uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) {
    bytes += static_cast<char>(value >> shift & 0xff);
  }
}

/// Length, type, data, checksum of type and data.
void append_chunk(std::string& png, std::string_view type, std::string_view data) {
  append_big_endian(png, static_cast<uint32_t>(data.size()));
  png.append(type).append(data);
  append_big_endian(png, crc32(bytes_of(data), crc32(bytes_of(type))));
}

std::string png_header(const ImageSize& size) {
  constexpr std::array<char, 5> kColourTypes = {0, 0, 4, 2, 6};  // By the number of channels.
  std::string header;
  append_big_endian(header, size.width);
  append_big_endian(header, size.height);
  header += '\x08';  // Bits a channel.
  header += kColourTypes.at(size.channels);
  return header.append(3, '\0');  // The only compression, the only set of filters, not interlaced.
}

/// Each row behind the number of its filter: 1, differences to the pixel on the left.
std::string filtered_rows(ByteView pixels, const ImageSize& size) {
  const size_t row_bytes = size_t{size.width} * size.channels;
  std::string rows;
  rows.reserve((row_bytes + 1) * size.height);
  for (size_t begin = 0; begin < pixels.size(); begin += row_bytes) {
    const ByteView row = pixels.subspan(begin, row_bytes);
    rows += '\x01';
    for (size_t i = 0; i < row_bytes; ++i) {
      const int left = i < size.channels ? 0 : std::to_integer<int>(row[i - size.channels]);
      rows += static_cast<char>(std::to_integer<int>(row[i]) - left);
    }
  }
  return rows;
}

/// Deflated, in the format of zlib (RFC 1950).
std::string deflated(std::string& bytes) {
  std::string result(bytes.size() + bytes.size() / 64 + 1024, '\0');  // What does not compress is stored in blocks.
  std::vector<uint8_t> level_buffer(ISAL_DEF_LVL1_DEFAULT);
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.next_in = reinterpret_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<uint8_t*>(result.data());
  stream.avail_out = static_cast<uint32_t>(result.size());
  stream.end_of_stream = 1;
  stream.gzip_flag = IGZIP_ZLIB;
  stream.level = 1;
  stream.level_buf = level_buffer.data();
  stream.level_buf_size = static_cast<uint32_t>(level_buffer.size());
  if (const int status = isal_deflate_stateless(&stream); status != COMP_OK) {
    throw Error("PNG: compression failed with status " + std::to_string(status));
  }
  result.resize(stream.total_out);
  return result;
}

void check_size(ByteView pixels, const ImageSize& size) {
  constexpr uint64_t kPixelBytesMax = uint64_t{1} << 30;
  const uint64_t bytes = uint64_t{size.width} * size.height * size.channels;
  if (size.channels > 4 || bytes == 0 || bytes > kPixelBytesMax || pixels.size() != bytes) {
    throw ConfigError("PNG: " + std::to_string(pixels.size()) + " bytes for " + std::to_string(size.width) + " x " +
                      std::to_string(size.height) + " pixels of " + std::to_string(size.channels) +
                      " channels; allowed are 1 to 4 channels, and at most 1 GiB");
  }
}

}  // namespace

std::string make_png(ByteView pixels, const ImageSize& size) {
  check_size(pixels, size);
  std::string rows = filtered_rows(pixels, size);
  std::string png(kPngSignature);
  append_chunk(png, "IHDR", png_header(size));
  append_chunk(png, "IDAT", deflated(rows));
  append_chunk(png, "IEND", {});
  return png;
}

}  // namespace troupe
