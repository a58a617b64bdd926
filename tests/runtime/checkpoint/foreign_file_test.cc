#include "troupe/runtime/checkpoint/foreign_file.h"

#include <doctest/doctest.h>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/places.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/file/damage.h"
#include "troupe/runtime/file/record_writer.h"
#include "troupe/runtime/log/event_log_segments.h"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

std::string format_of(const std::string& content) {
  const TemporaryFolder folder;
  overwrite_file(folder.path() / "x", content);
  return foreign_format(folder.path() / "x");
}

}  // namespace

TEST_CASE("a file that is no checkpoint is called what it looks like") {
  const TemporaryFolder folder;
  write_log(folder.path() / "events", {run_started_event(), batch_event(2, 1)});
  CHECK(foreign_format(log_segment_path(folder.path() / "events", 1)) == "an event log of Troupe");
  const fs::path golden = testing::golden_dir() / "interchange";
  CHECK(foreign_format(golden / "types.pt") == "a file of torch.save");
  CHECK(foreign_format(golden / "types.safetensors") == "a safetensors file");
  CHECK(foreign_format(golden / "orders.npz") == "a file of numpy.savez");
  CHECK(format_of(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9", 9)) ==
        "a file of torch.save from before PyTorch 1.6");
  CHECK(format_of("# A read-me\n\nwith \xc3\xa4 line\n") == "a text file");
  CHECK(format_of("PK\3\4") == "a zip archive");
  {
    RecordWriter records(File::create(folder.path() / "tfevents"));
    records.append(
        bytes_of(std::string("\x09\0\0\0\0\0\0\0\0\x1a\x0d"
                             "brain.Event:2",
                             24)));
    records.write();
  }
  CHECK(foreign_format(folder.path() / "tfevents") == "a log of TensorBoard");
}

TEST_CASE("a checkpoint, whole or damaged, is never called anything else") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "c.ckpt";
  write_checkpoint(path, SmallCheckpoint().parts);
  const std::string whole = read_file(path);
  CHECK(foreign_format(path).empty());
  for (size_t bytes = 0; bytes < 200; ++bytes) {
    CAPTURE(bytes);
    CHECK(format_of(whole.substr(0, bytes)).empty());
  }
  for (size_t bit = 0; bit < size_t{8} * 100; ++bit) {
    CAPTURE(bit);
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK(format_of(flipped).empty());
  }
  CHECK(format_of(std::string(300, '\0')).empty());
}

TEST_CASE("reading a file that is no checkpoint is an error of its own that says what to do") {
  const TemporaryFolder folder;
  const fs::path text = folder.path() / "README.md";
  overwrite_file(text, "# Not a checkpoint\n");
  const std::string said =
      text.string() + " is no checkpoint: it looks like a text file; allowed is a file that a run ";
  CHECK_THROWS_WITH_AS(read_checkpoint(text), doctest::Contains(said.c_str()), ForeignFileError);
  CHECK_THROWS_AS(read_checkpoint_header(text), ForeignFileError);
  CHECK_THROWS_AS(verify_checkpoint(text), ForeignFileError);
  const fs::path weights = testing::golden_dir() / "interchange" / "types.safetensors";
  const std::string import = "`troupe checkpoint import " + weights.string() + " --output types.ckpt`";
  CHECK_THROWS_WITH_AS(read_checkpoint(weights), doctest::Contains(import.c_str()), ForeignFileError);
  write_log(folder.path() / "events", {run_started_event()});
  CHECK_THROWS_WITH_AS(read_checkpoint(log_segment_path(folder.path() / "events", 1)),
                       doctest::Contains("name its run directory"), ForeignFileError);
}
