#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/crc32c.h"
#include "troupe/runtime/file/file_size_signal.h"
#include "troupe/runtime/file/record_reader.h"
#include "troupe/runtime/file/record_writer.h"

using namespace troupe;

namespace {

struct RecordFile {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "records";

  void write(const std::vector<std::string>& records) const {
    RecordWriter writer(File::open_or_create(path));
    for (const auto& record : records) {
      writer.append(bytes_of(record));
    }
    writer.write();
  }

  /// The records up to the first status that is not kRecord, which goes to `status`.
  std::vector<std::string> read(RecordStatus& status) const {
    RecordReader reader(path);
    std::vector<std::string> records;
    while ((status = reader.next()) == RecordStatus::kRecord) {
      records.emplace_back(text_of(reader.record()));
    }
    return records;
  }
};

}  // namespace

TEST_CASE_FIXTURE(RecordFile, "records come back as they were written, empty and large ones too") {
  std::vector<std::string> records{"", "a", std::string(3'000'000, 'x'), "", std::string(1 << 20, 'y'), "end"};
  for (int i = 0; i < 50'000; ++i) {
    records.push_back("record " + std::to_string(i));
  }
  write(records);
  RecordStatus status{};
  CHECK((read(status) == records));
  CHECK(status == RecordStatus::kEnd);
}

TEST_CASE_FIXTURE(RecordFile, "a frame has the bytes of TFRecord") {
  write({"abc"});
  const std::string bytes = read_file(path);
  CHECK(bytes.size() == 19);
  CHECK(load_integer<uint64_t>(bytes_of(bytes).data()) == 3);
  CHECK(bytes.substr(12, 3) == "abc");
}

TEST_CASE_FIXTURE(RecordFile, "a record of two parts is the same as one of one part, buffered and direct") {
  const std::string large(2 << 20, 'z');
  RecordWriter writer(File::create(path));
  writer.append(bytes_of("head "), bytes_of("body"));
  writer.append(bytes_of("head "), bytes_of(large));
  writer.sync();
  CHECK(writer.durable_bytes() == std::filesystem::file_size(path));
  RecordStatus status{};
  CHECK((read(status) == std::vector<std::string>{"head body", "head " + large}));
}

TEST_CASE_FIXTURE(RecordFile, "a writer goes on at the end of the file") {
  write({"one"});
  write({"two"});
  RecordStatus status{};
  CHECK((read(status) == std::vector<std::string>{"one", "two"}));
}

TEST_CASE_FIXTURE(RecordFile, "a file that ends inside a record is torn, at the place where the record begins") {
  write({"first", "second"});
  const std::string whole = read_file(path);
  const size_t second = 16 + 5;
  for (size_t size = second + 1; size < whole.size(); ++size) {
    overwrite_file(path, whole.substr(0, size));
    RecordReader reader(path);
    REQUIRE(reader.next() == RecordStatus::kRecord);
    CHECK(reader.next() == RecordStatus::kTorn);
    CHECK(reader.damage().offset == second);
    CHECK(reader.damage().bytes == size - second);
  }
}

TEST_CASE_FIXTURE(RecordFile, "a reader at a torn tail finds the rest when it has been written") {
  write({"first", "second"});
  const std::string whole = read_file(path);
  overwrite_file(path, whole.substr(0, whole.size() - 3));
  RecordReader reader(path);
  REQUIRE(reader.next() == RecordStatus::kRecord);
  REQUIRE(reader.next() == RecordStatus::kTorn);
  overwrite_file(path, whole);
  REQUIRE(reader.next() == RecordStatus::kRecord);
  CHECK(text_of(reader.record()) == "second");
  CHECK(reader.next() == RecordStatus::kEnd);
}

TEST_CASE_FIXTURE(RecordFile, "every flipped byte is damage of its record, and reading goes on after it") {
  write({"first", "second", "third"});
  const std::string whole = read_file(path);
  const size_t second = 16 + 5;
  const size_t third = second + 16 + 6;
  for (size_t i = second; i < third; ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
    overwrite_file(path, flipped);
    RecordReader reader(path);
    REQUIRE(reader.next() == RecordStatus::kRecord);
    CHECK(reader.next() == RecordStatus::kDamaged);
    CHECK(reader.damage().offset == second);
    CHECK(reader.skip_damage() == third - second);
    REQUIRE(reader.next() == RecordStatus::kRecord);
    CHECK(text_of(reader.record()) == "third");
  }
}

TEST_CASE_FIXTURE(RecordFile, "an absurd length with a right checksum is not believed") {
  std::byte head[12];
  for (const uint64_t length : {uint64_t{1} << 30, uint64_t{1} << 62}) {
    store_integer(head, length);
    store_integer(head + 8, mask_crc(crc32c({head, 8})));
    overwrite_file(path, std::string(text_of(head)) + "some bytes");
    RecordReader reader(path);
    CHECK(reader.next() == (length > 0x7fffffff ? RecordStatus::kDamaged : RecordStatus::kTorn));
  }
}

TEST_CASE_FIXTURE(RecordFile, "a write that breaks off leaves whole records behind and fails for good") {
  RecordWriter writer(File::create(path));
  writer.append(bytes_of("first"));
  writer.append(bytes_of("second"));
  const uint64_t end_of_second = writer.appended_bytes();
  writer.append(bytes_of(std::string(1000, 'x')));
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(end_of_second + 100);
    CHECK_THROWS_AS(writer.write(), IoError);
  }
  CHECK_THROWS_WITH_AS(writer.append(bytes_of("more")), doctest::Contains(path.c_str()), IoError);
  CHECK(std::filesystem::file_size(path) == end_of_second);
}

TEST_CASE_FIXTURE(RecordFile, "a large record that breaks off is cut away") {
  RecordWriter writer(File::create(path));
  writer.append(bytes_of("first"));
  const uint64_t end_of_first = writer.appended_bytes();
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(1 << 20);
    CHECK_THROWS_AS(writer.append(bytes_of("head"), bytes_of(std::string(2 << 20, 'x'))), IoError);
  }
  CHECK(std::filesystem::file_size(path) == end_of_first);
}

TEST_CASE("an error names operation, path and reason") {
  CHECK_THROWS_WITH_AS(File::open("/nowhere/file"), "cannot open /nowhere/file: No such file or directory", IoError);
}
