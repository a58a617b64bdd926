#include "troupe/runtime/interchange/checkpoint_import.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/base/version.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/interchange/weights_file.h"

namespace troupe {

Imported import_checkpoint(const std::filesystem::path& file, const std::filesystem::path& checkpoint,
                           Existing existing) {
  require_free_name(checkpoint, existing);
  require_other_file(checkpoint, file);
  if (starts_like_checkpoint(file)) {
    throw ConfigError("import " + file.string() + ": it is a Troupe checkpoint already");
  }
  const WeightsFile weights(file);
  Imported imported{std::string(weights.format()), weights.tensors().size(), 0};
  CheckpointParts parts;
  parts.header.set_weights_only(true);
  parts.header.set_imported_from(printable(file.filename().string()));
  parts.header.mutable_environment()->set_troupe_version(kVersion);
  for (const auto& tensor : weights.tensors()) {
    parts.tensors.push_back(tensor);
    parts.tensors.back().name.insert(0, kModulePrefix);
    imported.tensor_bytes += tensor.bytes.size();
  }
  write_checkpoint(checkpoint, parts, [&] { require_free_name(checkpoint, existing); });
  return imported;
}

}  // namespace troupe
