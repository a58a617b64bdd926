#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "troupe/runtime/base/bytes.h"

namespace troupe {

struct ZipEntry {
  std::string name;
  ByteView data;  ///< In the bytes that were given.
};

/// The entries of a zip archive, in the order in which they lie in it. Takes what torch.save and numpy.savez write:
/// entries stored, not compressed, without encryption, comments or doubled names, that neither overlap nor leave more
/// room between them than a descriptor takes. Checks all of that, that both headers of an entry agree, and the CRC of
/// every entry's data. Throws CorruptionError, which names `path`, and the entry.
std::vector<ZipEntry> read_zip(const std::filesystem::path& path, ByteView file);

}  // namespace troupe
