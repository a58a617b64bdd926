#include "troupe/runtime/interchange/weights_file.h"

#include <string>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/checkpoint/checkpoint_tensors.h"
#include "troupe/runtime/checkpoint/foreign_file.h"
#include "troupe/runtime/file/crc32c.h"
#include "troupe/runtime/file/record_format.h"
#include "troupe/runtime/file/zip_reader.h"
#include "troupe/runtime/interchange/npz_file.h"
#include "troupe/runtime/interchange/safetensors_file.h"
#include "troupe/runtime/interchange/torch_file.h"

namespace troupe {
namespace {

bool starts_like_records(ByteView file) {
  return file.size() >= kFrameHeadBytes &&
         load_integer<uint32_t>(file.data() + sizeof(uint64_t)) == mask_crc(crc32c(file.first(sizeof(uint64_t))));
}

bool starts_like_safetensors(ByteView file) {
  return file.size() > sizeof(uint64_t) && file[sizeof(uint64_t)] == std::byte{'{'};
}

bool starts_like_zip(ByteView file) {
  return text_of(file).starts_with("PK\3\4");
}

std::string looks_like(const std::filesystem::path& path) {
  const std::string format = foreign_format(path);
  return format.empty() ? "" : "; it looks like " + format;
}

/// A pickle of protocol 2 of the format's magic number, which has ten bytes.
bool starts_like_legacy_torch(ByteView file) {
  return text_of(file).starts_with("\x80\x02\x8a\x0a");
}

}  // namespace

bool starts_like_checkpoint(const std::filesystem::path& path) {
  return starts_like_records(MappedFile(path).bytes()) && foreign_format(path).empty();
}

WeightsFile::WeightsFile(const std::filesystem::path& path) : file_(path) {
  const ByteView bytes = file_.bytes();
  if (starts_like_records(bytes)) {
    read_checkpoint_weights();
  } else if (starts_like_zip(bytes)) {
    read_zip_archive();
  } else if (starts_like_safetensors(bytes)) {
    format_ = "safetensors";
    found_ = read_safetensors(path, bytes);
  } else {
    throw CorruptionError(path.string() + ": its first bytes are those of " +
                          (starts_like_legacy_torch(bytes)
                               ? "torch.save's old format, without a zip archive, which is not read: save again with "
                                 "PyTorch 1.6 or later"
                               : "none of: a Troupe checkpoint, safetensors, torch.save, npz" + looks_like(path)));
  }
  check_names();
}

void WeightsFile::read_zip_archive() {
  const auto& path = file_.path();
  const auto entries = read_zip(path, file_.bytes());
  if (is_torch_file(entries)) {
    format_ = "torch.save";
    found_ = read_torch(path, entries, file_.bytes().size());
  } else if (is_npz_file(entries)) {
    format_ = "npz";
    found_ = read_npz(path, entries, file_.bytes().size());
  } else {
    throw CorruptionError(path.string() +
                          ": a zip archive with neither data.pkl, as torch.save writes it, nor NPY files "
                          "alone, as numpy.savez does");
  }
}

void WeightsFile::read_checkpoint_weights() {
  format_ = "Troupe checkpoint";
  CheckpointTensors checkpoint(file_.path());
  for (int i = 0; i < checkpoint.header().tensors_size(); ++i) {
    const auto& info = checkpoint.header().tensors(i);
    if (is_module_tensor(info.name())) {
      TensorBuffer& buffer = found_.gathered.emplace_back(info.bytes());
      checkpoint.read(static_cast<size_t>(i), 0, {buffer.data(), buffer.size()});
      found_.tensors.push_back({without_module_prefix(info.name()), info.dtype(), shape_of(info), buffer.view()});
    }
  }
}

void WeightsFile::check_names() const {
  for (const auto& tensor : found_.tensors) {
    if (tensor.name.empty() || !is_utf8(tensor.name)) {
      throw CorruptionError(file_.path().string() + ": a tensor's name is " +
                            (tensor.name.empty() ? "empty" : "no UTF-8"));
    }
  }
}

}  // namespace troupe
