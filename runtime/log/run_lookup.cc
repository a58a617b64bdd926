#include "troupe/runtime/log/run_lookup.h"

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

fs::path default_run(const std::string& resume, const TrainerOptions& options) {
  if (!options.run_dir.empty()) {
    return options.run_dir;
  }
  const fs::path folder = fs::path(options.default_root_dir) / options.name;
  const auto newest = newest_run(folder);
  if (!newest) {
    throw ConfigError("resume '" + resume + "': there is no run under " + folder.string() +
                      "; name a run directory or a checkpoint file");
  }
  return *newest;
}

}  // namespace

std::optional<fs::path> run_directory_of(const fs::path& checkpoint) {
  for (fs::path folder = fs::absolute(checkpoint).parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.filename() == "checkpoints" && has_run(folder.parent_path())) {
      return folder.parent_path();
    }
  }
  return std::nullopt;
}

fs::path run_to_resume(const std::string& resume, const TrainerOptions& options) {
  const bool by_word = resume == "last" || resume == "best";
  if (!by_word && !fs::exists(resume)) {
    throw ConfigError("resume '" + resume +
                      "': no such file or folder; allowed are a checkpoint file, a run directory, 'last' and "
                      "'best'");
  }
  if (!by_word && !fs::is_directory(resume)) {
    return run_directory_of(resume).value_or(fs::path());
  }
  fs::path run = by_word ? default_run(resume, options) : fs::path(resume);
  if (!has_run(run)) {
    throw ConfigError("resume '" + resume + "': " + run.string() + " holds no run (it has no event log)");
  }
  return run;
}

}  // namespace troupe
