#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "tests/support/mutilated_file.h"
#include "troupe/runtime/file/crc32.h"
#include "troupe/runtime/file/zip_reader.h"
#include "troupe/runtime/file/zip_writer.h"

using namespace troupe;

namespace {

/// The bytes of an archive of three entries, one of them empty, filled out of order.
std::string archive(uint64_t zip64_from = kFull32) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.zip";
  WholeFile file(path, Existing::kRefuse);
  ZipWriter zip(file, zip64_from);
  const size_t first = zip.add("a/first", 5);
  zip.add("empty", 0);
  zip.add_whole("größe", bytes_of("0123456789"));
  zip.write(first, bytes_of("he"));
  zip.write(first, bytes_of("llo"));
  zip.finish();
  file.commit();
  return read_file(path);
}

std::string zip_refusal(const std::string& content) {
  return refusal("x.zip", [&](const auto& path) { read_zip(path, bytes_of(content)); });
}

/// With another text of the same length in every place where the first one is.
std::string replaced(std::string content, const std::string& from, const std::string& to) {
  for (auto at = content.find(from); at != std::string::npos; at = content.find(from, at + to.size())) {
    content.replace(at, from.size(), to);
  }
  return content;
}

/// With the byte at `offset` of the first central header changed.
std::string with_central_byte(std::string content, size_t offset, char byte) {
  content[content.find("PK\1\2") + offset] = byte;
  return content;
}

}  // namespace

TEST_CASE("the CRC-32 is that of zip") {
  CHECK(crc32(bytes_of("123456789")) == 0xcbf43926);  // The check value of CRC-32/ISO-HDLC.
  CHECK(crc32(bytes_of("6789"), crc32(bytes_of("12345"))) == 0xcbf43926);
}

TEST_CASE("an archive reads to the entries that were written, each aligned, with zip64 or without") {
  for (const uint64_t zip64_from : {uint64_t{kFull32}, uint64_t{6}, uint64_t{0}}) {
    CAPTURE(zip64_from);
    const std::string content = archive(zip64_from);
    const auto entries = read_zip("a.zip", bytes_of(content));
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].name == "a/first");
    CHECK(text_of(entries[0].data) == "hello");
    CHECK(entries[1].data.empty());
    CHECK(entries[2].name == "größe");
    CHECK(text_of(entries[2].data) == "0123456789");
    for (const auto& entry : entries) {
      CHECK((reinterpret_cast<const char*>(entry.data.data()) - content.data()) % 64 == 0);
    }
  }
}

TEST_CASE("an archive may have more entries than 16 bits can count") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.zip";
  WholeFile file(path, Existing::kRefuse);
  ZipWriter zip(file);
  for (int i = 0; i < 65536; ++i) {
    zip.add(std::to_string(i), 0);
  }
  zip.finish();
  file.commit();
  const std::string content = read_file(path);
  CHECK(read_zip(path, bytes_of(content)).size() == 65536);
}

TEST_CASE("an archive that is cut anywhere, or continued, is refused") {
  for (const uint64_t zip64_from : {uint64_t{kFull32}, uint64_t{0}}) {
    const std::string content = archive(zip64_from);
    for (size_t size = 0; size < content.size(); ++size) {
      CAPTURE(size);
      CHECK(zip_refusal(content.substr(0, size)) != "");
    }
    CHECK(zip_refusal(content + "x") != "");
    CHECK(zip_refusal("x" + content) != "");
  }
}

TEST_CASE("an archive with a flipped bit is refused, or reads to the same entries") {
  for (const uint64_t zip64_from : {uint64_t{kFull32}, uint64_t{0}}) {
    const std::string content = archive(zip64_from);
    for (size_t bit = 0; bit < 8 * content.size(); ++bit) {
      CAPTURE(bit);
      std::string flipped = content;
      flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
      refusal("x.zip", [&](const auto& path) {
        const auto entries = read_zip(path, bytes_of(flipped));
        REQUIRE(entries.size() == 3);
        CHECK(entries[0].name + std::string(text_of(entries[0].data)) == "a/firsthello");
        CHECK(entries[1].name == "empty");
        CHECK(entries[2].name + std::string(text_of(entries[2].data)) == "größe0123456789");
      });
    }
  }
}

TEST_CASE("what is wrong in an archive is said, with the entry") {
  const std::string sound = archive();
  CHECK(contains(zip_refusal(replaced(sound, "hello", "hallo")), "entry 'a/first': the CRC does not fit the data"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 10, 8)),
                 "entry 'a/first': it is compressed (method 8); only stored"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 8, 1)), "entry 'a/first': it is encrypted"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 24, 6)), "entry 'a/first': its sizes do not fit each other"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 44, 100)), "entry 'a/first': it lies beyond the end"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 42, 64)), "entry 'a/first': its two headers do not agree"));
  CHECK(contains(zip_refusal(with_central_byte(sound, 32, 1)),
                 "entry 'a/first': it has a comment, which is not allowed"));
  const auto size_of_extra = static_cast<size_t>(46 + 7 + 2);  // Behind the header, the name and the id.
  CHECK(contains(zip_refusal(with_central_byte(archive(0), size_of_extra, 20)),
                 "entry 'a/first': its extra field is damaged"));  // Ends inside the last of three numbers, which is 0.
  CHECK(contains(zip_refusal(replaced(replaced(sound, "a/first", "entry_1"), "größe", "entry_1")),
                 "entry_1': it is there twice"));
  CHECK(contains(zip_refusal(""), "does not end with the end of a directory"));
  std::string gap = sound;
  gap[gap.find("PK\1\2") + 28] = 0;  // The first entry's name: none.
  CHECK(zip_refusal(gap) != "");
}
