#include "troupe/runtime/checkpoint/foreign_file.h"

#include <troupe/v1/checkpoint.pb.h>
#include <troupe/v1/event.pb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "troupe/runtime/base/bytes.h"
#include "troupe/runtime/file/file.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe {
namespace {

// The formats of which more is said than their names.
constexpr std::string_view kEventLog = "an event log of Troupe";
constexpr std::string_view kSafetensors = "a safetensors file";
constexpr std::string_view kTorch = "a file of torch.save";
constexpr std::string_view kOldTorch = "a file of torch.save from before PyTorch 1.6";
constexpr std::string_view kNpz = "a file of numpy.savez";

struct Magic {
  std::string_view bytes;
  std::string_view format;
};
constexpr std::array kMagics = {Magic{{"\x80\x02\x8a\x0a", 4}, kOldTorch},
                                Magic{{"\x80\x02}", 3}, "a pickle of Python"},
                                Magic{{"\x93NUMPY", 6}, "an NPY file of NumPy"},
                                Magic{{"\x89HDF\r\n", 6}, "an HDF5 file"},
                                Magic{{"\x1f\x8b\x08", 3}, "a gzip archive"},
                                Magic{{"GGUF", 4}, "a GGUF file"},
                                Magic{{"\x7f"
                                       "ELF",
                                       4},
                                      "a program"}};

std::string first_bytes(const File& file) {
  constexpr size_t kBytesMax = 4096;
  std::string bytes(kBytesMax, '\0');
  bytes.resize(file.read(reinterpret_cast<std::byte*>(bytes.data()), bytes.size(), 0));
  return bytes;
}

/// As in the length of a checkpoint's first record: its upper half is 0.
bool has_short_length(std::string_view start) {
  return start.size() >= sizeof(uint64_t) && load_integer<uint64_t>(bytes_of(start).data()) <= UINT32_MAX;
}

/// Of a zip archive, by its first entry's name.
std::string_view zip_format(std::string_view start) {
  constexpr size_t kNameLengthAt = 26;
  constexpr size_t kNameAt = 30;
  if (start.size() < kNameAt) {
    return "a zip archive";
  }
  const auto length = load_integer<uint16_t>(bytes_of(start).data() + kNameLengthAt);
  const std::string_view name = start.substr(kNameAt, length);
  return name.ends_with("/data.pkl") ? kTorch : name.ends_with(".npy") ? kNpz : "a zip archive";
}

/// A JSON object behind its length.
bool is_safetensors(const File& file, std::string_view start) {
  constexpr size_t kHeadBytes = sizeof(uint64_t);
  if (start.size() < kHeadBytes + 2) {
    return false;
  }
  const auto length = load_integer<uint64_t>(bytes_of(start).data());
  std::byte last{};
  return start[kHeadBytes] == '{' && std::string_view("\"} \n\t\r").find(start[kHeadBytes + 1]) != std::string::npos &&
         length >= 2 && length <= file.size() - kHeadBytes && file.read(&last, 1, kHeadBytes + length - 1) == 1 &&
         (last == std::byte{'}'} || last == std::byte{' '});
}

/// No checkpoint begins so: there are zeros in the length of its first record.
bool is_text(std::string_view start) {
  constexpr size_t kBytesMin = 8;
  return start.size() >= kBytesMin && std::all_of(start.begin(), start.end(), [](char letter) {
           const auto byte = static_cast<unsigned char>(letter);
           return byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
         });
}

/// Of a file of records, by its first one.
std::string_view record_format(const std::filesystem::path& path) {
  RecordReader records(path);
  if (records.next() != RecordStatus::kRecord) {
    return {};
  }
  const ByteView bytes = records.record();
  const int size = static_cast<int>(bytes.size());
  v1::CheckpointRecord record;
  if (record.ParseFromArray(bytes.data(), size) && record.record_case() != v1::CheckpointRecord::RECORD_NOT_SET) {
    return {};
  }
  v1::Event event;
  if (event.ParseFromArray(bytes.data(), size) && event.seq() > 0 && event.body_case() != v1::Event::BODY_NOT_SET) {
    return kEventLog;
  }
  return text_of(bytes).find("brain.Event:") != std::string_view::npos ? "a log of TensorBoard" : "";
}

std::string advice(std::string_view format, const std::filesystem::path& path) {
  if (format == kEventLog) {
    return "; `troupe log show RUN` reads the logs of a run, and to go on with it, name its run directory";
  }
  if (format == kSafetensors || format == kTorch || format == kNpz) {
    auto output = path.filename();
    return "; `troupe checkpoint import " + path.string() + " --output " + output.replace_extension(".ckpt").string() +
           "` makes a checkpoint of its weights";
  }
  if (format == kOldTorch) {
    return "; save it again with a later one, and `troupe checkpoint import` makes a checkpoint of its weights";
  }
  return "; allowed is a file that a run has put into its checkpoints folder, or that `troupe checkpoint import` made";
}

}  // namespace

std::string foreign_format(const std::filesystem::path& path) {
  const File file = File::open(path);
  const std::string start = first_bytes(file);
  if (const auto records = record_format(path); !records.empty()) {
    return std::string(records);
  }
  if (start.starts_with("PK\3\4")) {
    return std::string(zip_format(start));
  }
  const auto* const magic =
      std::find_if(kMagics.begin(), kMagics.end(), [&](const Magic& each) { return start.starts_with(each.bytes); });
  if (magic != kMagics.end() && !has_short_length(start)) {
    return std::string(magic->format);
  }
  return is_safetensors(file, start) ? std::string(kSafetensors) : is_text(start) ? "a text file" : "";
}

void refuse_foreign_file(const std::filesystem::path& path) {
  if (const std::string format = foreign_format(path); !format.empty()) {
    throw ForeignFileError(path.string() + " is no checkpoint: it looks like " + format + advice(format, path));
  }
}

}  // namespace troupe
