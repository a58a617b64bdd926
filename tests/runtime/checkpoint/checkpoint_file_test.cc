#include "troupe/runtime/checkpoint/checkpoint_file.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/support/checkpoint_checks.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_chunk.h"
#include "troupe/runtime/file/file_size_signal.h"
#include "troupe/runtime/file/record_reader.h"
#include "troupe/runtime/file/record_writer.h"

using namespace troupe;

namespace {

struct Checkpoint {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "last.ckpt";

  std::set<uint64_t> record_starts() const {
    std::set<uint64_t> starts{0};
    RecordReader records(path);
    while (records.next() == RecordStatus::kRecord) {
      starts.insert(records.end_offset());
    }
    return starts;
  }

  void check_damaged(const std::string& content, uint64_t offset) const {
    overwrite_file(path, content);
    const auto report = verify_checkpoint(path);
    REQUIRE_FALSE(report.sound());
    CHECK(report.damage->file == path);
    CHECK(report.damage->offset == offset);
    CHECK_THROWS_AS(read_checkpoint(path), DamageError);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Checkpoint, "a checkpoint comes back as it was written, tensors aligned") {
  SmallCheckpoint small;
  const auto written = write_checkpoint(path, small.parts);
  CHECK(written.bytes == std::filesystem::file_size(path));
  const auto data = read_checkpoint(path);
  check_equal(data, small.parts);
  for (const auto& tensor : data.tensors) {
    CHECK(reinterpret_cast<uintptr_t>(tensor.data()) % 64 == 0);
  }
  CHECK(data.header.format_version() == kCheckpointFormatVersion);
  const auto report = verify_checkpoint(path);
  CHECK(report.sound());
  CHECK(report.digest == written.digest);
  CHECK(report.records == 8);
  CHECK(report.tensor_bytes == 24 + 3);
  CHECK(read_checkpoint_header(path).SerializeAsString() == data.header.SerializeAsString());
}

TEST_CASE_FIXTURE(Checkpoint, "a tensor of more than a chunk comes back whole, and every record parses as protobuf") {
  std::vector<int32_t> numbers(kChunkBytesMax / 4 * 2 + 1);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<int32_t>(i * 2654435761U);
  }
  CheckpointParts parts;
  parts.tensors.push_back(
      {"big", v1::DTYPE_INT32, {static_cast<int64_t>(numbers.size())}, std::as_bytes(std::span(numbers))});
  write_checkpoint(path, parts);
  const auto data = read_checkpoint(path);
  CHECK(std::equal(data.tensors[0].view().begin(), data.tensors[0].view().end(), parts.tensors[0].bytes.begin()));
  RecordReader records(path);
  std::vector<v1::CheckpointRecord::RecordCase> cases;
  while (records.next() == RecordStatus::kRecord) {
    v1::CheckpointRecord record;
    REQUIRE(record.ParseFromArray(records.record().data(), static_cast<int>(records.record().size())));
    CHECK(record.SerializeAsString() == text_of(records.record()));
    cases.push_back(record.record_case());
  }
  using Record = v1::CheckpointRecord;
  CHECK((cases == std::vector{Record::kHeader, Record::kChunk, Record::kChunk, Record::kChunk, Record::kTrainingState,
                              Record::kRunState, Record::kFooter}));
}

TEST_CASE("a chunk by hand has protobuf's bytes and is read back by hand") {
  for (const uint32_t tensor : {0U, 1U, 300U}) {
    for (const uint64_t offset : {uint64_t{0}, uint64_t{16} << 20, uint64_t{1} << 40}) {
      const ChunkView chunk{tensor, offset, bytes_of("data of a tensor")};
      std::string bytes(text_of(ChunkHead(chunk).bytes()));
      bytes += text_of(chunk.data);
      v1::CheckpointRecord record;
      record.mutable_chunk()->set_tensor(tensor);
      record.mutable_chunk()->set_offset(offset);
      record.mutable_chunk()->set_data("data of a tensor");
      CHECK(bytes == record.SerializeAsString());
      ChunkView decoded;
      REQUIRE(decode_chunk(bytes_of(bytes), decoded));
      CHECK(decoded.tensor == tensor);
      CHECK(decoded.offset == offset);
      CHECK(text_of(decoded.data) == "data of a tensor");
    }
  }
}

TEST_CASE_FIXTURE(Checkpoint, "a checkpoint of weights only has neither training nor callback state") {
  SmallCheckpoint small;
  small.parts.header.set_weights_only(true);
  write_checkpoint(path, small.parts);
  const auto data = read_checkpoint(path);
  CHECK_FALSE(data.training_state.has_value());
  CHECK(data.callback_states.empty());
  CHECK(data.run_state.seq() == 42);
  CHECK(data.tensors.size() == 3);
}

TEST_CASE_FIXTURE(Checkpoint, "a shape with a 0 in it has no bytes, however large the other sizes are") {
  CheckpointParts parts;
  const int64_t large = int64_t{1} << 62;
  parts.tensors.push_back({"empty", v1::DTYPE_FLOAT32, {large, large, 0}, {}});
  write_checkpoint(path, parts);
  CHECK(verify_checkpoint(path).sound());
}

TEST_CASE_FIXTURE(Checkpoint, "a checkpoint with two tensors of one name is damaged") {
  SmallCheckpoint small;
  small.parts.tensors[2].name = small.parts.tensors[0].name;
  write_checkpoint(path, small.parts);
  CHECK_THROWS_WITH_AS(read_checkpoint(path), doctest::Contains("tensor 'module.weight' is there twice"), DamageError);
}

TEST_CASE_FIXTURE(Checkpoint, "what the module added is in the header of a checkpoint of weights only") {
  SmallCheckpoint small;
  small.parts.header.set_weights_only(true);
  StateDict added;
  added.set("vocabulary", 7);
  *small.parts.header.mutable_module_state() = added.proto();
  write_checkpoint(path, small.parts);
  CHECK(StateDict(read_checkpoint(path).header.module_state()).get_int("vocabulary") == 7);
}

TEST_CASE_FIXTURE(Checkpoint, "every flipped byte of a checkpoint is found in its record") {
  SmallCheckpoint small;
  write_checkpoint(path, small.parts);
  const std::string whole = read_file(path);
  const auto starts = record_starts();
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    check_damaged(flipped, *std::prev(starts.upper_bound(i)));
  }
}

TEST_CASE_FIXTURE(Checkpoint, "every cut of a checkpoint is damage, and so is what follows the footer") {
  SmallCheckpoint small;
  write_checkpoint(path, small.parts);
  const std::string whole = read_file(path);
  const auto starts = record_starts();
  for (size_t size = 0; size < whole.size(); ++size) {
    check_damaged(whole.substr(0, size), *std::prev(starts.upper_bound(size)));
  }
  check_damaged(whole + "x", whole.size());
  check_damaged(whole + whole, whole.size());
}

TEST_CASE_FIXTURE(Checkpoint,
                  "records that are left out, doubled or in another order are damage though each is sound") {
  SmallCheckpoint small;
  write_checkpoint(path, small.parts);
  std::vector<std::string> frames;
  RecordReader records(path);
  const std::string whole = read_file(path);
  while (records.next() == RecordStatus::kRecord) {
    frames.push_back(whole.substr(records.offset(), records.end_offset() - records.offset()));
  }
  const auto damaged = [&](const std::vector<std::string>& content) {
    std::string bytes;
    for (const auto& frame : content) {
      bytes += frame;
    }
    overwrite_file(path, bytes);
    return !verify_checkpoint(path).sound();
  };
  CHECK_FALSE(damaged(frames));
  for (size_t i = 0; i < frames.size(); ++i) {
    auto changed = frames;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(damaged(changed));
    changed = frames;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), frames[i]);
    CHECK(damaged(changed));
    for (size_t j = i + 1; j < frames.size(); ++j) {
      changed = frames;
      std::swap(changed[i], changed[j]);
      CHECK(damaged(changed));
    }
  }
}

TEST_CASE_FIXTURE(Checkpoint, "another format version is refused, and the error says which is read") {
  v1::CheckpointRecord record;
  record.mutable_header()->set_format_version(7);
  RecordWriter writer(File::create(path));
  writer.append(record);
  writer.write();
  CHECK_THROWS_WITH_AS(read_checkpoint_header(path), doctest::Contains("format version 7"), CorruptionError);
  CHECK_FALSE(verify_checkpoint(path).sound());
}

TEST_CASE_FIXTURE(Checkpoint, "a header that asks for more than the file holds allocates nothing") {
  v1::CheckpointRecord record;
  record.mutable_header()->set_format_version(1);
  auto* info = record.mutable_header()->add_tensors();
  info->set_dtype(v1::DTYPE_UINT8);
  info->add_shape(int64_t{1} << 50);
  info->set_bytes(uint64_t{1} << 50);
  RecordWriter writer(File::create(path));
  writer.append(record);
  writer.write();
  CHECK_THROWS_AS(read_checkpoint(path), DamageError);
}

TEST_CASE_FIXTURE(Checkpoint, "a checkpoint that cannot be written leaves no file, and the one before it stays") {
  SmallCheckpoint small;
  {
    const FileSizeSignalGuard no_signal;
    const FileSizeLimit limit(100);
    CHECK_THROWS_AS(write_checkpoint(path, small.parts), IoError);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  write_checkpoint(path, small.parts);
  CHECK_THROWS_AS(write_checkpoint(path, small.parts, [] { throw IoError("the log cannot be made durable"); }),
                  IoError);
  CHECK(folder_content(folder.path()).size() == 1);
  CHECK(verify_checkpoint(path).sound());
}

TEST_CASE_FIXTURE(Checkpoint, "the hook runs when the content is whole and before the name is there") {
  SmallCheckpoint small;
  bool sound_before_rename = false;
  write_checkpoint(path, small.parts, [&] {
    CHECK_FALSE(std::filesystem::exists(path));
    sound_before_rename = verify_checkpoint(temporary_name(path)).sound();
  });
  CHECK(sound_before_rename);
}

TEST_CASE_FIXTURE(Checkpoint, "stale temporaries are removed and nothing else") {
  std::filesystem::create_directory(folder.path() / "epochs");
  for (const char* name : {"a.ckpt.tmp-123", "epochs/b.ckpt.tmp-1", "c.ckpt", "d.tmp-", "e.tmp-12x"}) {
    overwrite_file(folder.path() / name, "x");
  }
  CHECK(remove_stale_temporaries(folder.path()) == 2);
  CHECK(folder_content(folder.path()).size() == 4);
  CHECK(remove_stale_temporaries(folder.path() / "none") == 0);
}

TEST_CASE_FIXTURE(Checkpoint, "verifying a checkpoint never writes") {
  SmallCheckpoint small;
  write_checkpoint(path, small.parts);
  std::string bytes = read_file(path);
  bytes[30] = static_cast<char>(bytes[30] ^ 1);
  overwrite_file(path, bytes);
  const auto before = folder_content(folder.path());
  CHECK_FALSE(verify_checkpoint(path).sound());
  CHECK((folder_content(folder.path()) == before));
}

TEST_CASE_FIXTURE(Checkpoint, "a text that could not be read back is refused with its field, and nothing is left") {
  SmallCheckpoint small;
  const auto check_refused = [&](const std::string& message, const std::string& field) {
    CHECK_THROWS_WITH_AS(write_checkpoint(path, small.parts),
                         ("cannot write a " + message + " to " + temporary_name(path).string() + ": the text in " +
                          field + " is not UTF-8")
                             .c_str(),
                         ConfigError);
    CHECK(std::filesystem::is_empty(path.parent_path()));
  };
  SUBCASE("in a callback's state") {
    small.parts.callback_states[0].mutable_state()->add_entries()->mutable_value()->set_string_value("\xff");
    check_refused("CallbackState", "troupe.v1.StateValue.string_value");
  }
  SUBCASE("in the name of a tensor") {
    small.parts.tensors[1].name = "module.\xff";
    check_refused("CheckpointHeader", "troupe.v1.TensorInfo.name");
  }
  SUBCASE("in the run's state") {
    small.parts.run_state.set_reason("\xff");
    check_refused("RunState", "troupe.v1.RunState.reason");
  }
}
