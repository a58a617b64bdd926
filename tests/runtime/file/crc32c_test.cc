#include "troupe/runtime/file/crc32c.h"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("CRC32C has the check value of its definition") {
  CHECK(crc32c(bytes_of("123456789")) == 0xe3069283);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("CRC32C goes on where it stopped") {
  CHECK(crc32c(bytes_of("6789"), crc32c(bytes_of("12345"))) == crc32c(bytes_of("123456789")));
}

TEST_CASE("the mask is TFRecord's") {
  CHECK(mask_crc(0) == 0xa282ead8);
  CHECK(mask_crc(0x00008000) == 0xa282ead9);
}
